"""The user's own recordings and images, as a folder by class or as a csv: no archive, no reader.

`fedssl.data.own.folder` and `fedssl.data.own.table` find the files, their classes and splits;
`fedssl.data.own.read` turns them into a bank's members, whichever of the two they came from.
"""
