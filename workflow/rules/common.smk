"""The grid, the wildcards it allows, and what a run reports when it starts and ends."""

from snakemake.logging import logger

from fedssl.grid.configuration import merge, merged, read_layers, validate, with_places
from fedssl.data.own.dataset_entry import with_own_datasets
from fedssl.record.environment import prepare_jobs
from fedssl.errors import UserError
from fedssl.grid.cells import Grid
from fedssl.record.outcome import (
    FailureCollector,
    repeatable,
    report_failures,
    write_cells,
)
from fedssl.grid.paths import ResultPaths, from_here
from fedssl.data.plan import DataRules
from fedssl.evaluation.plan import EvaluateRules
from fedssl.paper.plan_maps import MapRules
from fedssl.record.stale import Memory
from fedssl.paper.plan_page import PageRules
from fedssl.evaluation.plan_pairs import PairedRules
from fedssl.federation.plan import PretrainRules
from fedssl.paper.plan_report import ReportRules, shown
from fedssl.paper.plan_sweeps import SweepRules
from fedssl.paper.plan_trust import TrustRules
from fedssl.record.sources import source_digests
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
    validate(config, LAYERS, schemas=BASE / "config" / "schemas")
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
    MAPS = MapRules(GRID, LAYERS, tree=TREE, scripts=SCRIPTS)
    SWEEPS = SweepRules(GRID, LAYERS, tree=TREE)
    REPORT = ReportRules(
        GRID,
        TREE,
        published=FILES / "config" / "published",
        figures=[*MAPS.figures, *SWEEPS.figures],
    )
    TRUST = TrustRules(GRID, TREE, REPORT, root=FILES)
    PAGE = PageRules(GRID, TREE, REPORT)
    TARGETS = command_line_targets(sys.argv)
    check_targets(TARGETS, GRID, TREE, named=REPORT.targets)
except UserError as error:
    raise WorkflowError(str(error))

prepare_jobs(BASE / "src", mirror=config["mirror"], pins=config["pins"])
FAILURES = FailureCollector()
logger.addHandler(FAILURES)


wildcard_constraints:
    study=one_of(config["studies"]),
    method=one_of(config["methods"]),
    arch=one_of(config["encoders"]),
    aggregator=one_of(config["aggregators"]),
    split=one_of(GRID.values("split")),
    variant=one_of(GRID.values("variant")),
    seed=one_of(map(str, config["seeds"])),
    dataset=one_of(config["datasets"]),
    task=one_of(GRID.task_names()),
    table=one_of(config["tables"]),
    contrast=one_of(config["contrasts"]),
    sharding=one_of(GRID.shardings()),


onstart:
    write_cells(GRID, TREE)


onsuccess:
    write_cells(GRID, TREE)


onerror:
    report_failures(FAILURES.failures(), repeatable(sys.argv[1:], TARGETS))
    write_cells(GRID, TREE)
