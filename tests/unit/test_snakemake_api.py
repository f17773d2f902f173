"""What the project uses of Snakemake beyond its documentation: each named, so a loss is clear.

A failure here means that Snakemake has changed: mend `fedssl.grid.snakemake_api` or the module
that the test names, not the rules.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from snakemake.common.configfile import load_configfile
from snakemake_interface_common.exceptions import WorkflowError
from snakemake_interface_executor_plugins.registry import ExecutorPluginRegistry

from fedssl.command.reasons import causes, follows
from fedssl.errors import UserError
from fedssl.grid.configuration import command_line, read_layers
from fedssl.grid.places import check_directory
from fedssl.grid.snakemake_api import (
    command_line_targets,
    ensure_cache,
    use_executor,
)
from fedssl.slurm.executor import Executor

SNAKEFILE = """
import json
import logging
import sys
from pathlib import Path
from fedssl.grid.snakemake_api import (
    all_products, ancient, command_line_targets, force, format_with, given_configuration,
    jobs_to_run, logger, num_cores, offer, offered, product_paths, runs_here, set_amount,
    starts_run
)

configfile: "given.yaml"

class Events(logging.Handler):
    def emit(self, record):
        said = {name: str(value) for name, value in vars(record).items()}
        with open("events.jsonl", "a") as file:
            file.write(json.dumps(said) + "\\n")

logger.addHandler(Events())
here = str(workflow.current_basedir)
files, settings = given_configuration(workflow)

def inputs(wildcards):
    if wildcards.name == "stale":
        force(workflow, "stale.txt")
    return ancient("source")

rule all:
    input: expand("{name}.txt", name=["stale", "fine", *(["broken"] if config["broken"] else [])])

rule write:
    input: inputs
    output: "{name}.txt"
    log: "{name}.log"
    params: text=config["text"]
    shell: "test {wildcards.name} != broken && echo {params.text} > {output}"

offer(workflow, gpu=2)

rule busy:
    output: "{name}.busy"
    resources: gpu=1
    shell: "date +%s.%N > {output}; sleep 0.4; date +%s.%N >> {output}"

rule own:
    output: "own.txt"
    run:
        Path(output[0]).write_text(str(starts_run(workflow, sys.argv)))

rule deep:
    output: "deep/{name,[a-z]{2,3}}.txt", directory("deep/{name}")
    shell: "true"

rule slash:
    output: "never/{name,[^/]+}.txt"
    shell: "true"

class Words(logging.Formatter):
    def __init__(self, plain, terminal):
        self.plain = plain, terminal

    def filter(self, record):
        return "Provided cores" not in record.getMessage()

    def format(self, record):
        return f"terminal {self.plain[1]}: {self.plain[0].format(record)}"

format_with(workflow, Words)

onstart:
    jobs = [(job.rule, job.wildcards, job.outputs, job.log) for job in jobs_to_run(workflow)]
    Path("jobs.json").write_text(json.dumps(jobs))

products = all_products(workflow)
Path("said.json").write_text(json.dumps({
    "configfiles": list(map(str, files)),
    "config": settings,
    "here": here,
    "runs_here": runs_here(workflow),
    "starts_run": starts_run(workflow, sys.argv),
    "cores": num_cores(workflow),
    "gpus": offered(workflow, "gpu"),
    "set": [set_amount(workflow, rule, "gpu") for rule in ("busy", "write")],
    "paths": product_paths(workflow),
    "made": [any(p.match(name) for p in products) for name in ("x.txt", "x.log", "x.csv")],
}))
"""


class Workflow:
    """A workflow of two jobs in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "Snakefile").write_text(SNAKEFILE)
        (folder / "given.yaml").write_text("{text: a, broken: false}")
        (folder / "source").touch()

    def run(self, *arguments: str, ok: bool = True) -> str:
        command = [str(Path(sys.executable).with_name("snakemake")), *arguments]
        command[1:1] = [] if "--cores" in arguments else ["--cores", "1"]
        ran = subprocess.run(command, cwd=self.folder, capture_output=True, text=True)
        assert (ran.returncode == 0) == ok, ran.stdout + ran.stderr
        return ran.stdout + ran.stderr

    def events(self, event: str) -> list[dict[str, Any]]:
        lines = (self.folder / "events.jsonl").read_text().splitlines()
        return [said for said in map(json.loads, lines) if said.get("event", "").endswith(event)]

    @property
    def said(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folder / "said.json").read_text())
        return found


@pytest.fixture(scope="module")
def workflow(tmp_path_factory: pytest.TempPathFactory) -> Workflow:
    found = Workflow(tmp_path_factory.mktemp("toy"))
    found.run("--configfile", "given.yaml", "--config", "text=b")
    return found


def test_config_settings_hold_the_files_and_the_command_line(workflow: Workflow) -> None:
    folder = workflow.folder
    assert [Path(file) for file in workflow.said["configfiles"]] == [folder / "given.yaml"]
    assert workflow.said["config"] == {"text": "b"}


def test_current_basedir_is_the_folder_of_the_snakefile(workflow: Workflow) -> None:
    assert Path(workflow.said["here"]) == workflow.folder


def test_rule_products_match_outputs_and_logs(workflow: Workflow) -> None:
    assert workflow.said["made"] == [True, True, False]


def test_products_are_expressions_of_files_or_folders(
    workflow: Workflow,
) -> None:
    files, folders = workflow.said["paths"]
    assert {r"(?:.+)\.txt", r"(?:.+)\.log", r"deep/(?:[a-z]{2,3})\.txt"} <= set(files)
    assert folders == ["deep/(?:.+)"] and not any("never" in path for path in files)


def test_a_pipe_as_configuration_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    for file in (tmp_path / "pipe.yaml", tmp_path):
        with pytest.raises(UserError, match="is not a file; save the configuration as one"):
            read_layers([file], {})


def test_an_executor_takes_the_place_of_a_plugins_own(monkeypatch: pytest.MonkeyPatch) -> None:
    plugin = ExecutorPluginRegistry().get_plugin("slurm")
    monkeypatch.setattr(plugin, "executor", plugin.executor)
    use_executor("slurm", Executor)
    assert ExecutorPluginRegistry().get_plugin("slurm").executor is Executor
    use_executor("no-such-plugin", Executor)


def test_dag_forcefiles_run_a_job_again_and_no_other(workflow: Workflow) -> None:
    (workflow.folder / "events.jsonl").unlink()
    workflow.run("--dry-run", "--configfile", "given.yaml", "--config", "text=b")
    jobs = [job for job in workflow.events("job_info") if job["rule_name"] == "write"]
    assert [job["output"] for job in jobs] == ["['stale.txt']"]
    assert jobs[0]["reason"] == "Forced execution" and causes(jobs[0]["reason"]) == ["forced"]
    assert "'name': 'stale'" in jobs[0]["wildcards"]


@pytest.mark.parametrize("content", ["{}", "{text: b}", '{"text": "b"}', "\ufefftext: b"])
def test_configfiles_that_snakemake_can_read_are_accepted(content: str, tmp_path: Path) -> None:
    file = tmp_path / "given.yaml"
    file.write_text(content, encoding="utf-8")
    read_layers([file], {})
    load_configfile(file)


@pytest.mark.parametrize(
    "content", [b"", b"# text: b", b"null", b"[]", b"a: 1\n---\na: 2", b"\xff"]
)
def test_configfiles_that_snakemake_cannot_read_are_named(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "given.yaml"
    file.write_bytes(content)
    with pytest.raises((WorkflowError, UnicodeDecodeError)):
        load_configfile(file)
    with pytest.raises(UserError, match=r"given\.yaml"):
        read_layers([file], {})


def test_the_reason_for_a_job_names_parameters_and_what_it_follows(workflow: Workflow) -> None:
    (workflow.folder / "events.jsonl").unlink()
    workflow.run("--dry-run", "--rerun-triggers", "params", "--config", "text=c")
    reasons = {job["output"]: job["reason"] for job in workflow.events("job_info")}
    assert causes(reasons["['fine.txt']"]) == ["a parameter of its rule has changed"]
    assert sorted(follows(reasons["[]"])) == ["fine.txt", "stale.txt"]


def test_a_failed_job_is_an_event_with_its_log_and_outputs(workflow: Workflow) -> None:
    workflow.run("--config", "broken=true", "--", "broken.txt", ok=False)
    (failed,) = workflow.events("job_error")
    assert failed["rule_name"] == "write" and failed["log"] == "['broken.log']"
    assert failed["output"] == "['broken.txt']" and {"jobid", "rule_msg"} <= failed.keys()
    assert any("returned non-zero exit status 1" in e["msg"] for e in workflow.events("error"))


@pytest.mark.parametrize(("options", "at_once"), [((), 2), (("--resources", "gpu=3"), 3)])
def test_an_offered_resource_limits_what_runs_unless_the_command_line_does(
    workflow: Workflow, options: tuple[str, ...], at_once: int
) -> None:
    files = [f"{name}{at_once}.busy" for name in "abcdef"]
    workflow.run("--cores", "6", *options, "--", *files)
    assert (workflow.said["runs_here"], workflow.said["cores"]) == (True, 6)
    times = [[*map(float, (workflow.folder / file).read_text().split())] for file in files]
    overlapping = [sum(start <= moment < end for start, end in times) for moment, _ in times]
    assert max(overlapping) == at_once == workflow.said["gpus"]
    assert workflow.said["set"] == [None, None]


def test_the_command_line_sets_a_resource_of_a_rule(workflow: Workflow) -> None:
    given = ("--set-resources", "busy:gpu=2", "write:gpu=1+1")
    workflow.run("--dry-run", *given, "--", "z.busy")
    assert workflow.said["set"] == [2, None], "an expression is not known before its job is"


@pytest.mark.parametrize(
    ("options", "starts"),
    [
        (("--touch",), True),
        (("--delete-all-output", "--", "all"), True),
        (("--dry-run",), False),
        (("--unlock",), False),
        (("--summary",), False),
        (("--list-rules",), False),
        (("--cleanup-metadata", "fine.txt"), False),
    ],
)
def test_options_that_only_ask_start_no_run(
    workflow: Workflow, options: tuple[str, ...], starts: bool
) -> None:
    workflow.run(*options)
    assert workflow.said["starts_run"] is starts


def test_a_job_that_snakemake_starts_is_no_run(workflow: Workflow) -> None:
    """As on a cluster's node, or here where a rule has a `run` block."""
    workflow.run("--force", "--", "own.txt")
    assert (workflow.folder / "own.txt").read_text() == "False"


def test_summary_has_the_columns_that_the_mirror_reads(workflow: Workflow) -> None:
    header = workflow.run("--summary").splitlines()
    assert any({"output_file", "rule"} <= set(line.split("\t")) for line in header)


def test_the_argument_parser_tells_targets_from_values() -> None:
    given = ["/bin/snakemake", "--cores", "2", "--config", "seeds=[0]", "--", "a", "b/c.csv"]
    assert command_line_targets(given) == ["a", "b/c.csv"]
    assert command_line_targets(["/x/snakemake/__main__.py", "a"]) == []


def test_what_is_printed_passes_a_formatter_unless_more_or_less_is_asked_for(
    workflow: Workflow,
) -> None:
    printed = workflow.run("--force", "z.busy")
    assert "terminal False: Job stats:" in printed and "Provided cores" not in printed
    assert "terminal False: [" in printed, "of a job that starts"
    for option in (("--verbose",), ("--quiet", "host")):
        printed = workflow.run("--force", *option, "--", "z.busy")
        assert "terminal" not in printed and "Provided cores" in printed
    jobs = json.loads((workflow.folder / "jobs.json").read_text())
    assert jobs == [["busy", {"name": "z"}, ["z.busy"], ""]]


def test_the_cache_of_snakemake_goes_where_it_can_be_written(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "/dev/null")
    ensure_cache(tmp_path / "cache")
    assert os.environ["XDG_CACHE_HOME"] == str(tmp_path / "cache")
    ensure_cache(tmp_path / "other")
    assert os.environ["XDG_CACHE_HOME"] == str(tmp_path / "cache"), "it can be written"


def test_a_working_directory_that_cannot_be_written_is_named(tmp_path):
    check_directory(tmp_path / "new", asking=False)
    (tmp_path / ".snakemake").touch()
    with pytest.raises(UserError, match=r"\.snakemake cannot be written .* with --directory"):
        check_directory(tmp_path, asking=True)


@pytest.mark.parametrize("word", ["seeds", "=3", "results_dir= ", "a-b=1"])
def test_a_setting_without_key_or_value_is_named(word):
    with pytest.raises(UserError, match=r"--config is .*; it must be key=value"):
        command_line([word])
