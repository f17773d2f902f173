"""The grid, the wildcards it allows, and what a run reports when it starts and ends."""

import os
import re
import sys
from pathlib import Path

from snakemake.logging import logger

BASE = Path(workflow.basedir)
SCRIPTS = BASE / "workflow" / "scripts"
sys.path.insert(0, str(BASE / "src"))

from fedssl.configuration import read_layers, validate
from fedssl.errors import UserError
from fedssl.experiments import Cell, Grid
from fedssl.files import digest
from fedssl.outcome import FailureCollector, report_failures, write_cells
from fedssl.paths import Tree
from fedssl.sources import source_digests
from fedssl.targets import check_targets, command_line_targets

# Jobs run in processes of their own, in the user's environment or in conda's.
os.environ["PYTHONPATH"] = os.pathsep.join(
    filter(None, [str(BASE / "src"), os.environ.get("PYTHONPATH")])
)
# Where an archive comes from is no part of what it is, so it is no parameter of a rule.
os.environ["FEDSSL_MIRROR"] = str(config.get("mirror") or "")

LAYERS = read_layers(
    [
        *(BASE / "config" / f"{name}.yaml" for name in ("config", "experiments", "datasets")),
        *workflow.config_settings.configfiles,
    ],
    workflow.config_settings.config,
)
CELL = "{study}/{method}/{arch}/{aggregator}/{split}/{variant}/seed{seed}"
RANDOM_INIT = "{study}/random-init/{arch}/{variant}/seed{seed}"

try:
    validate(config, LAYERS, schemas=BASE / "config" / "schemas")
    GRID = Grid(config, LAYERS)
except UserError as error:
    raise WorkflowError(str(error))

TREE = Tree(config["results_dir"])
TARGETS = command_line_targets(sys.argv)
FAILURES = FailureCollector()
logger.addHandler(FAILURES)
DATASETS = config["datasets"]


def one_of(values):
    """A wildcard's pattern: exactly the declared values, or none at all."""
    return "|".join(map(re.escape, values)) or "(?!)"


def cell_of(wildcards):
    """The cell that a job's wildcards name."""
    axes = {axis: wildcards[axis] for axis in ("study", "method", "arch", "aggregator")}
    return Cell(
        **axes, split=wildcards.split, variant=wildcards.variant, seed=int(wildcards.seed)
    )


wildcard_constraints:
    study=one_of(config["studies"]),
    method=one_of(config["methods"]),
    arch=one_of(config["encoders"]),
    aggregator=one_of(config["aggregators"]),
    split=one_of(GRID.values("split")),
    variant=one_of(GRID.values("variant")),
    seed=one_of(map(str, config["seeds"])),
    dataset=one_of(DATASETS),
    task=one_of(DATASETS),
    table=one_of(config["tables"]),
    sharding=one_of(GRID.shardings()),


onstart:
    write_cells(GRID, TREE)


onsuccess:
    write_cells(GRID, TREE)


onerror:
    write_cells(GRID, TREE)
    given = [word for word in sys.argv[1:] if word not in {*TARGETS, "--"}]
    report_failures(FAILURES.failures(), given)
