"""Hold the lease of a folder that several runs share, and note when."""

import time
from pathlib import Path

from fedssl.lease import hold

folder = Path(snakemake.params.folder)  # type: ignore[name-defined]
with hold(folder / ".bank.lease", what="the bank", wait=60):
    start = time.time()
    time.sleep(5)
    Path(snakemake.output[0]).write_text(f"{start} {time.time()}")  # type: ignore[name-defined]
