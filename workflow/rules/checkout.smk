"""Before the configuration is read: that the working directory is a checkout."""

import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

# Not workflow.basedir, which is the folder of the Snakefile that was named on the command line.
BASE = Path(str(workflow.current_basedir)).parents[1]
SHIPPED = [
    BASE / "config" / name
    for name in ("config.yaml", "experiments.yaml", "datasets.yaml")
]
sys.path.insert(0, str(BASE / "src"))

if not all(Path("config", file.name).is_file() for file in SHIPPED):
    raise WorkflowError(
        f"{Path.cwd()} is no checkout of this workflow: run in {BASE.resolve()}, without "
        "--directory and --snakefile, and put results elsewhere with --config results_dir=<folder>."
    )
