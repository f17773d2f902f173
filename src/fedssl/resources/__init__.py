"""What each job asks for: GPUs, memory and time.

Rules call the functions of `needs`. It turns the costs of `costs` (settings, sizes of banks,
measured seconds) into a request, which `limits` keeps below what the site grants. `machine` knows
the GPUs of this machine. The package may import
`grid` and `record`. Nothing here changes a result.
"""
