"""Before the configuration is read: where the workflow's own files are.

They are found from the folder of this file, never from the working directory or the Snakefile on
the command line: the workflow can be a module of another, and run in any directory.
"""

import os
import sys
import tempfile
from pathlib import Path


def local_checkout(folder):
    """Return the root of the workflow's files on this machine."""
    if folder.is_local:
        return Path(str(folder)).parents[1]
    # Snakemake fetches a single file when it reads it, but jobs import the package. So the commit
    # is cloned, once, next to Snakemake's own copy of the repository.
    from git import Repo

    bare = folder.hosted_repo.repo_clone
    commit = folder.hosted_repo.repo.commit(folder.ref).hexsha
    checkout = bare.with_name(f"{bare.name}-{commit}")
    if not checkout.is_dir():
        unfinished = tempfile.mkdtemp(dir=bare.parent)
        Repo.clone_from(
            str(bare), unfinished, shared=True, no_checkout=True
        ).git.checkout(commit)
        os.replace(unfinished, checkout)
    return checkout


BASE = local_checkout(workflow.current_basedir)
RULES = BASE / "workflow" / "rules"
sys.path.insert(0, str(BASE / "src"))

from fedssl.grid.configuration import SHIPPED
from fedssl.grid.snakemake_api import is_module

# A run may have files of its own; those of a module's working directory belong to its importer.
OWN = () if is_module(workflow) else [f for f in SHIPPED if Path("config", f).is_file()]
CONFIG_YAML, EXPERIMENTS_YAML, DATASETS_YAML = SHIPPED_FILES = [
    Path("config", name) if name in OWN else BASE / "config" / name for name in SHIPPED
]
