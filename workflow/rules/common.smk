"""The grid, the wildcards it allows, and what a run reports when it starts and ends."""

import atexit
import gc
from functools import partial
from inspect import signature

from fedssl.grid.configuration import command_line, merge, merged, read_layers
from fedssl.grid.misplaced import check_kinds
from fedssl.grid.module import module_layers
from fedssl.grid.places import with_places
from fedssl.data.own.dataset_entry import with_own_datasets
from fedssl.record.environment import prepare_jobs
from fedssl.errors import UserError
from fedssl.grid.cell import Cell
from fedssl.grid.cells import Grid
from fedssl.grid.own_studies import only_asked
from fedssl.record.failures import FailureCollector, repeatable
from fedssl.grid.paths import RECORD, ResultPaths, folder_record, from_here, record_of
from fedssl.grid.plan import Plan
from fedssl.grid.snakemake_api import (
    all_products,
    command_line_targets,
    format_with,
    given_configuration,
    given_settings,
    jobs_of_targets,
    jobs_to_run,
    logger,
    plans_jobs,
    product_paths,
    rule_name,
    runs_here,
    starts_run,
    storage_folder,
    use_executor,
)
from fedssl.command.costs import expected_seconds
from fedssl.crate.plan import crate_spec, workflow_files
from fedssl.data.plan import archive_files, check_datasets
from fedssl.data.plan_banks import (
    bank_arrays,
    dataset_bank,
    example_datasets,
    example_settings,
)
from fedssl.paper import map_panels
from fedssl.paper.page.plan import page_inputs, page_spec, page_templates
from fedssl.paper.plan import check_products as check_declared_products
from fedssl.paper.plan import (
    certificate_spec,
    check_storage,
    claims_files,
    final_files,
    moment,
    named_targets,
    product_rule,
    published_files,
    records,
    report_labels,
    reported,
    study_files,
    tables,
    target_files,
)
from fedssl.paper.products.registry import KINDS as PRODUCT_KINDS, module_name
from fedssl.paper.seeds import seeds_of
from fedssl.record.run_lease import hold_results, release_results
from fedssl.record.stale import StaleResults
from fedssl.resources import needs
from fedssl.resources.machine import find_machine
from fedssl.record.sources import source_digests
from fedssl.record.status import write_cells
from fedssl.evaluation.plan import remove_shared_scores
from fedssl.grid.targets import check_products, check_targets, one_of
from fedssl.schema.validate import validate
from fedssl.slurm.executor import Executor as SlurmExecutor
from fedssl.terminal.job_lines import JobLines
from fedssl.terminal.verdicts import page_of, print_verdicts

# Nearly all objects of a plan live until Snakemake ends, so looking for garbage as often as Python
# does by default finds none, and takes a tenth of the time.
gc.freeze()
gc.set_threshold(20_000, 50, 50)

SCRIPTS = BASE / "workflow" / "scripts"
STORAGE = storage_folder(workflow)
# A checkout that moves keeps the names of its files, and so its results and their seal. Jobs with a
# storage work in another folder.
FILES = BASE if STORAGE else from_here(BASE)

# Patterns of the results tree: what a rule writes of any cell, and where.
OUT = ResultPaths("<results>")
ANY_CELL = Cell.pattern()
CELL = ANY_CELL.path
RANDOM_INIT = ANY_CELL.random_init_path

try:
    configfiles, settings = given_configuration(workflow)
    if is_module(workflow):
        # The command line has targets and settings of other workflows, too.
        LAYERS = module_layers(
            __name__, config, shipped=SHIPPED_FILES, command_line=settings
        )
        configfiles, settings = [], dict(LAYERS[-1].content)
        # The importer's own mapping stays as it is.
        config = merged(LAYERS)
        TARGETS = []
    else:
        # Read again, because Snakemake takes the last of two equal keys without a word.
        command_line(given_settings(sys.argv))
        LAYERS = read_layers([*SHIPPED_FILES, *configfiles], settings)
        # Snakemake leaves what --config holds as text.
        config.update(merge(config, LAYERS[-1].content))
        TARGETS = command_line_targets(sys.argv)
    validate(config, LAYERS)
    config.update(with_places(config, LAYERS))
    # Snakemake's values, in the order of the files: it puts what a --configfile names first.
    ordered = merge(merged(LAYERS), config)
    GRID = Grid(with_own_datasets(ordered, LAYERS), LAYERS)
    # Without the papers, if there are own studies.
    config["studies"] = GRID.config["studies"]
    TREE = ResultPaths(config["results_dir"])
    ASKED = only_asked(TARGETS, GRID.config)
    PLAN = Plan(GRID, TREE, FILES, LAYERS, shipped=len(SHIPPED_FILES), asked=ASKED)
    check_datasets(PLAN)
    ARCHIVES = archive_files(PLAN)
    check_declared_products(PLAN)
    check_targets(TARGETS, GRID, TREE, named=named_targets(PLAN))
except UserError as error:
    # Not a WorkflowError, which Snakemake prints between lines of the code.
    sys.exit(f"fedssl: {error}")

MACHINE = find_machine(workflow)
STALE = StaleResults(workflow, config["results_dir"])
prepare_jobs(
    BASE / "src",
    mirror=config["mirror"],
    pins=config["pins"],
    banks=config["banks"],
    portable=config["portable"],
    rules=rule_name(workflow, "*"),
    engine=config["engine"],
    superlink=config["superlink"],
    track=config["track"],
    copies=STORAGE,
)
use_executor("slurm", SlurmExecutor)
FAILURES = FailureCollector()
logger.addHandler(FAILURES)
if workflow.is_main_process:
    atexit.register(FAILURES.report, repeatable(sys.argv[1:], TARGETS))
# Of a module, the importer decides what is printed. A dry run shows every job with its reason.
if not is_module(workflow) and starts_run(workflow, sys.argv):
    format_with(
        workflow,
        partial(
            JobLines,
            jobs=partial(jobs_to_run, workflow),
            expected=partial(expected_seconds, PLAN),
            here=runs_here(workflow),
            targets=partial(jobs_of_targets, workflow),
        ),
    )


def planned(function, **given):
    """Return a planning function of the package as one of wildcards alone."""
    of_wildcards = partial(function, PLAN, **given)
    # Snakemake asks for the signature several times a job, and computes it anew if it is not set.
    of_wildcards.__signature__ = signature(of_wildcards)
    return of_wildcards


# A group asks for what its members ask for side by side, if they fit. Of those that take turns, only
# one fits; see `fedssl.resources.machine`.
resource_scopes:
    turn="local",


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


def list_cells():
    """Write which cells are done; with a storage, the results folder does not say it."""
    if not STORAGE:
        write_cells(GRID, TREE)


onstart:
    list_cells()


onsuccess:
    remove_shared_scores(PLAN)
    list_cells()
    release_results()
    if page := page_of(jobs_to_run(workflow)):
        # At the very end, below what Snakemake still prints.
        atexit.register(print_verdicts, PLAN, page)


onerror:
    FAILURES.report(repeatable(sys.argv[1:], TARGETS))
    list_cells()
    release_results()
