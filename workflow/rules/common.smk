"""The grid, the wildcards it allows, and what a run reports when it starts and ends."""

from functools import partial

from snakemake.logging import logger

from fedssl.grid.configuration import merge, merged, read_layers, with_places
from fedssl.data.own.entries import with_own_datasets
from fedssl.record.environment import prepare_jobs
from fedssl.errors import UserError
from fedssl.grid.cells import Grid
from fedssl.record.outcome import (
    FailureCollector,
    repeatable,
    report_failures,
    write_cells,
)
from fedssl.crate.plan import crate_spec, workflow_files
from fedssl.grid.paths import ResultPaths, from_here
from fedssl.data.plan import DataRules
from fedssl.evaluation.plan import EvaluateRules
from fedssl.record.stale import Memory
from fedssl.evaluation.plan_pairs import PairedRules
from fedssl.federation.plan import PretrainRules
from fedssl.grid.plan import Plan
from fedssl.paper import map_panels
from fedssl.paper.page.plan import page_inputs, page_spec
from fedssl.paper.plan import (
    certificate_spec,
    check_figures,
    moment,
    named_targets,
    product_rule,
    published_files,
    records,
    report_labels,
    reported,
    tables,
    target_files,
)
from fedssl.paper.products.registry import KINDS, module_name
from fedssl.paper.seeds import seeds_of
from fedssl.record.sources import source_digests
from fedssl.schema.validate import validate
from fedssl.grid.targets import (
    check_products,
    check_targets,
    command_line_targets,
    one_of,
)

SCRIPTS = BASE / "workflow" / "scripts"
# A checkout that moves keeps the names of its files, and so its results and their seal.
FILES = from_here(BASE)
LAYERS = read_layers(
    [*SHIPPED, *workflow.config_settings.configfiles], workflow.config_settings.config
)
CELL = "{study}/{method}/{arch}/{aggregator}/{split}/{variant}/seed{seed}"
RANDOM_INIT = "{study}/random-init/{arch}/{variant}/seed{seed}"

try:
    # Snakemake leaves what --config holds as text.
    config.update(merge(config, LAYERS[-1].content))
    validate(config, LAYERS)
    config.update(with_places(config, LAYERS))
    # Snakemake's values, in the order of the files: it puts what a --configfile names first.
    ordered = merge(merged(LAYERS), config)
    GRID = Grid(with_own_datasets(ordered, LAYERS), LAYERS)
    TREE = ResultPaths(config["results_dir"])
    MEMORY = Memory(workflow, config["results_dir"])
    DATA = DataRules(GRID, SCRIPTS)
    PRETRAIN = PretrainRules(GRID, TREE, SCRIPTS)
    EVALUATE = EvaluateRules(GRID, TREE, SCRIPTS)
    PAIRED = PairedRules(GRID, TREE, SCRIPTS)
    PLAN = Plan(GRID, TREE, LAYERS, shipped=len(SHIPPED), checkout=FILES)
    check_figures(PLAN)
    TARGETS = command_line_targets(sys.argv)
    check_targets(TARGETS, GRID, TREE, named=named_targets(PLAN))
except UserError as error:
    raise WorkflowError(str(error))


def ask(function):
    """Return a planning function as Snakemake calls it: with a job's wildcards alone."""
    return partial(function, PLAN)


prepare_jobs(BASE / "src", mirror=config["mirror"], pins=config["pins"])
FAILURES = FailureCollector()
logger.addHandler(FAILURES)


wildcard_constraints:
    study=one_of(config["studies"]),
    method=one_of(config["methods"]),
    arch=one_of(config["encoders"]),
    aggregator=one_of(GRID.values("aggregator")),
    split=one_of(GRID.values("split")),
    variant=one_of(GRID.values("variant")),
    seed=one_of(map(str, config["seeds"])),
    dataset=one_of(config["datasets"]),
    task=one_of(GRID.task_names()),
    sharding=one_of(GRID.shardings()),


onstart:
    write_cells(GRID, TREE)


onsuccess:
    write_cells(GRID, TREE)


onerror:
    report_failures(FAILURES.failures(), repeatable(sys.argv[1:], TARGETS))
    write_cells(GRID, TREE)
