"""Containers of sound: how much sound each says it holds, compared with the bytes that are there.

libsndfile reads a file that is cut off or joined as a shorter sound, without an error. Start with
`container`, which has the type that all modules return, and `inspect`, which chooses the module.

May import `data.samples`.
"""
