"""The `fedssl` command on made-up results: what it prints, as JSON, and for mistakes."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from fedssl.command.costs import costs, measured_jobs
from fedssl.command.dry_run import PlannedJob
from fedssl.command.estimate import duration
from fedssl.command.main import app
from fedssl.command.reasons import causes, follows
from fedssl.errors import UserError
from fedssl.files import read_json
from fedssl.grid.settings_diff import ABSENT, settings_diff
from fedssl.record.read import Record, results_folder
from tests.unit.results import CELL, GRID, MODEL, sign

ROOT = Path(__file__).parents[2]
BEFORE = (
    "'results/demo/state/pretrain/63068d0701d83390',{'federation': {'rounds': 4, 'clients': 8}}"
)
NOW = "'results/demo/state/pretrain/1d3df8d3ca935185',{'federation': {'rounds': 9, 'clients': 8}}"
CHANGED = "Params have changed since last execution: Union of exclusive params before and now "
CHANGED += "across all output: before: {} now: {} "


@pytest.fixture
def folder(pristine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with finished results in results/demo, and the grid behind them."""
    shutil.copytree(pristine, tmp_path / "results/demo")
    (tmp_path / "grid.yaml").write_text(GRID)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def fedssl(*arguments: str) -> Result:
    files = [f"{ROOT}/config/demo.yaml", "grid.yaml"]
    configured = arguments[0] not in ("audit", "--help")
    options = [word for file in files for word in ("--configfile", file)] if configured else []
    return CliRunner().invoke(app, [*arguments, *options])


def data(*arguments: str) -> Any:
    result = fedssl(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_help_comes_without_the_heavy_libraries():
    heavy = "torch", "pandas", "numpy", "snakemake", "fedssl.audit.audit"
    script = (
        "import sys; from fedssl.command.main import app; app(['--help'], standalone_mode=False); "
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    ran = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True
    )
    assert ran.stdout.strip().endswith("[]"), ran.stdout + ran.stderr
    assert all(name in ran.stdout for name in ("cells", "explain", "show", "diff", "estimate"))


def test_python_m_fedssl_is_the_command(folder):
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    ran = subprocess.run(
        [sys.executable, "-m", "fedssl", "audit", "results/demo"],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "\x1b" not in ran.stdout and max(map(len, ran.stdout.splitlines())) <= 80
    assert ran.stdout.splitlines()[-1] == "passed"


def test_cells_are_listed_with_their_status_and_filtered(folder):
    every = data("cells", "--study", "fssuavl")
    assert [cell["status"] for cell in every] == ["done"]
    assert every[0]["path"] == f"results/demo/{MODEL}"
    (folder / "results/demo" / MODEL).unlink()
    assert data("cells", "--status", "not-run", "--arch", "resnet18")
    assert [cell["study"] for cell in data("cells", "--status", "done")] == ["fassl"]
    assert "1 of 2 cells" in fedssl("cells", "--status", "done").stdout


def test_a_cell_of_other_settings_than_declared_is_not_done(folder):
    sign(
        folder / f"results/demo/pretrain/{CELL}/provenance.json",
        lambda content: content["settings"]["optimiser"].update(lr=0.9),
    )
    assert [c["study"] for c in data("cells", "--status", "other-settings")] == ["fssuavl"]
    assert [c["study"] for c in data("cells", "--status", "done")] == ["fassl"]


def test_what_records_say_of_settings_comes_before_snakemakes_reason(folder, monkeypatch):
    differs = ("optimiser.lr: 0.06 -> 0.9",)
    job = PlannedJob("pretrain", {}, (f"results/demo/{MODEL}",), "Forced execution", differs)
    monkeypatch.setattr("fedssl.command.dry_run.planned_jobs", lambda *_, **__: [job])
    assert data("explain", CELL)[0]["causes"] == list(differs)
    assert differs[0] in fedssl("explain", CELL).stdout


@pytest.mark.parametrize(
    ("done", "silent_s", "status", "progress"),
    [
        (11, 12, "running", "round 11 of 60, 0:00:1"),
        (11, 100, "running", "round 11 of 60, 0:01:4"),
        (11, 7000, "interrupted", "round 11 of 60, 1:56:4"),
        (60, 12, "running", "round 60 of 60, 0:00:1"),
        (60, 7000, "not-run", None),
    ],
)
def test_an_unfinished_cell_says_its_round(folder, done, silent_s, status, progress):
    """Its pace is 20 s a round: after a minute and three rounds of silence it has been killed."""
    (folder / "results/demo" / MODEL).unlink()
    log = folder / f"results/demo/logs/pretrain/{CELL}.log"
    log.parent.mkdir(parents=True)
    line = "2026-11-21 18:33:00,695 INFO round {} of 60  loss 3.6  20.0 s a round  0:10:00 left\n"
    log.write_text(
        f"{line.format(1)}{line.format(done)}2026-11-21 18:33:09,1 WARNING round 9 of 9\n"
    )
    os.utime(log, (time.time() - silent_s,) * 2)
    (cell,) = data("cells", "--study", "fssuavl")
    assert cell["status"] == status
    assert cell["progress"] == progress or cell["progress"].startswith(progress)
    shown = "".join(fedssl("cells").stdout.split())
    assert (f"{status}:round{done}of60" in shown) is (progress is not None)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["cells", "--arch", "resnet"], "--arch is 'resnet' (did you mean resnet18?)"),
        (
            ["cells", "--status", "finished"],
            "there are not-run, running, interrupted, other-settings, pretrained, done",
        ),
        (["show", "fssuavl/simclr"], "fssuavl/simclr is not a cell"),
        (["show", CELL.replace("seed0", "seed7")], "has not run in results/demo"),
        (["show", CELL.replace("resnet18", "*")], "has not run in results/demo"),
        (["explain", CELL.replace("fedavg", "fedavgg")], "(did you mean fssuavl/simclr/resnet18"),
        (["explain", "fssuavl_table2"], "has no Snakefile"),
        (["audit", "nowhere"], "nowhere is not a folder that you can"),
    ],
)
def test_a_mistake_is_one_sentence_and_exit_code_2(folder, arguments, words):
    result = fedssl(*arguments)
    assert result.exit_code == 2
    assert words in result.stderr and result.stderr.startswith("fedssl: ")
    assert "Traceback" not in result.stderr and result.stderr.count("\n") == 1


def test_cells_say_whose_status_they_show_and_ignore_another_workflow(folder):
    (folder / "Snakefile").touch()
    (folder / "config").mkdir()
    (folder / "config/config.yaml").write_text("samples: samples.tsv\n")
    shown = "".join(fedssl("cells").stdout.split())
    assert "2of2cells" in shown and f"{folder}/results/demo" in shown
    result = fedssl("explain")
    assert result.exit_code == 2 and "has no Snakefile of this project" in result.stderr


def test_show_has_settings_scores_hashes_and_the_command_that_reruns_it(folder):
    shown = fedssl("show", CELL).stdout
    record = read_json(folder / f"results/demo/pretrain/{CELL}/provenance.json")
    model = record["outputs"][f"results/demo/{MODEL}"]
    assert model[:16] in shown and "federation.rounds" in shown
    command = f"--force -- results/demo/{MODEL}"
    assert command in shown and f"snakemake --cores {record['settings']['threads']}" in shown
    found = data("show", f"results/demo/pretrain/{CELL}/model.safetensors")
    values = {(score["task"], score["protocol"]): score["value"] for score in found["scores"]}
    path = f"results/demo/evaluate/{CELL}/cifar10/knn.json"
    assert values["cifar10", "knn"] == read_json(folder / path)["value"]
    assert found["records"]["pretrain/provenance.json"] == record


def test_show_names_the_configuration_that_writes_to_the_folder(folder):
    shown = CliRunner().invoke(app, ["show", f"results/demo/pretrain/{CELL}"]).stdout
    assert "--configfile config/demo.yaml --force" in shown


def test_show_says_where_its_command_lacks_the_configuration_of_the_run(folder):
    assert "of the run that wrote to" not in fedssl("show", CELL).stdout
    record = folder / f"results/demo/pretrain/{CELL}/provenance.json"

    def move(content: dict[str, Any]) -> None:
        for side in ("inputs", "outputs"):
            files = content[side].items()
            content[side] = {n.replace("results/demo", "results/own"): v for n, v in files}

    sign(record, move)
    shutil.move("results/demo", "results/own")
    place = f"results/own/pretrain/{CELL}"
    for command in (["show", place], ["show", place, "--configfile", f"{ROOT}/config/demo.yaml"]):
        shown = " ".join(CliRunner().invoke(app, command).stdout.split())
        assert "and the --configfile and --config of the run that wrote to results/own" in shown
    shown = fedssl("show", place, "--config", "results_dir=results/own").stdout
    assert "--config results_dir=results/own --force" in shown
    assert "of the run that wrote to" not in shown


def test_show_reruns_a_cell_by_its_model_and_not_by_a_round_that_it_kept(folder):
    kept = f"results/demo/pretrain/{CELL}/milestones/round0.safetensors"
    sign(
        folder / f"results/demo/pretrain/{CELL}/provenance.json",
        lambda content: content["outputs"].update({kept: "0" * 64}),
    )
    assert f"--force -- results/demo/{MODEL}" in fedssl("show", CELL).stdout


def test_show_refuses_a_damaged_record(folder):
    (folder / f"results/demo/pretrain/{CELL}/provenance.json").write_text("{}")
    result = fedssl("show", CELL)
    assert result.exit_code == 2 and "is damaged" in result.stderr


def test_diff_says_what_differs_and_no_more(folder):
    same = data("diff", "results/demo", "results/demo")
    assert not any(same.values())
    shutil.copytree("results/demo", "results/other")

    def change(content: dict[str, Any]) -> None:
        content["settings"]["federation"]["rounds"] = 99
        content["packages"]["torch"] = "3.0"
        content["code"]["src/fedssl/aggregators/fedavg.py"] = "0" * 16

    sign(Path("results/other/pretrain", CELL, "provenance.json"), change)
    for sides in (
        ["results/demo", "results/other"],
        [f"{r}/pretrain/{CELL}" for r in ("results/demo", "results/other")],
    ):
        found = data("diff", *sides)
        assert [c["key"] for c in found["settings"]] == ["federation.rounds"]
        assert found["settings"][0]["after"] == 99
        assert [c["key"] for c in found["environment"]] == ["packages.torch"]
        assert [c["key"] for c in found["code"]] == ["src/fedssl/aggregators/fedavg.py"]
        assert found["data"] == found["scores"] == found["only before"] == []
    words = f"federation.rounds: {found['settings'][0]['before']} -> 99"
    said = fedssl("diff", "results/demo", "results/other").stdout
    assert words in said and "may give other bits" not in said


@pytest.mark.parametrize("key", ["cpu", "gpu", "instructions", "host"])
def test_diff_says_when_bits_may_differ(folder, key):
    shutil.copytree("results/demo", "results/other")
    record = Path("results/other/pretrain", CELL, "provenance.json")
    sign(record, lambda content: content["hardware"].update({key: "another"}))
    said = fedssl("diff", "results/demo", "results/other").stdout
    assert ("the same settings may give other bits" in said) == (key != "host")


def test_audit_fails_with_exit_code_1_and_names_the_file(folder):
    model = folder / "results/demo" / MODEL
    model.write_bytes(b"\0" + model.read_bytes()[1:])
    result = fedssl("audit", "results/demo")
    assert result.exit_code == 1
    words = " ".join(result.stdout.split())
    assert f"tampered: cells/{CELL}" in words and "NOT passed" in words
    assert "tables/fssuavl_table2: tampered" in words
    found = json.loads(fedssl("audit", "results/demo", "--json").stdout)
    assert not found["passed"] and found["counts"]["cells"]["tampered"] == 1


def test_audit_holds_records_against_a_published_seal(folder):
    seal = data("audit", "results/demo")["seal"]
    assert fedssl("audit", "results/demo", "--seal", seal).exit_code == 0
    other = fedssl("audit", "results/demo", "--seal", "0" * 64)
    assert other.exit_code == 1 and "not 0000" in " ".join(other.stdout.split())


def test_a_seal_may_be_typed_as_it_was_printed_and_is_no_other_text(folder):
    seal = data("audit", "results/demo")["seal"]
    assert fedssl("audit", "results/demo", "--seal", f" {seal.upper()}\n").exit_code == 0
    for text in (seal[:-1], f"{seal}0", "", "x" * 64):
        result = fedssl("audit", "results/demo", "--seal", text)
        assert result.exit_code == 2 and "64 hexadecimal digits" in result.stderr


def test_the_parent_of_results_names_them(folder):
    result = fedssl("audit", "results")
    assert result.exit_code == 2 and "name one of results/demo" in result.stderr


@pytest.mark.parametrize("refused", ["stat", "access"])
def test_a_folder_that_may_not_be_read_is_a_mistake(folder, monkeypatch, refused):
    """Made up, because whoever runs tests as root may read everything."""
    look, may = os.stat, os.access

    def stat(path, *arguments, **options):
        if str(path).endswith("results/demo"):
            raise PermissionError(path)
        return look(path, *arguments, **options)

    def access(path, *arguments, **options):
        return not str(path).endswith("results/demo") and may(path, *arguments, **options)

    monkeypatch.setattr(os, refused, stat if refused == "stat" else access)
    with pytest.raises(UserError, match=r"no permission to read|not a folder that you can read"):
        results_folder("results/demo")


def test_a_value_on_the_command_line_wins_over_files(folder):
    shutil.move("results/demo", "results/other")
    assert data("cells", "--status", "done") == []
    elsewhere = ("--config", "results_dir=results/other")
    found = data("cells", "--status", "done", *elsewhere)
    assert {Path(cell["path"]).parts[1] for cell in found} == {"other"}
    for wrong in ("results_dir", "seeds=["):
        result = fedssl("cells", "--config", wrong)
        assert result.exit_code == 2 and "it must be key=value" in result.stderr


@pytest.mark.parametrize("stage", ["pretrain", "evaluate", "maps"])
def test_explain_of_a_cell_has_its_jobs_wherever_they_write(folder, monkeypatch, stage):
    other = CELL.replace("fedavg", "fedu")
    jobs = [
        PlannedJob("any", {}, (f"results/demo/{stage}/{cell}/x",), "Missing output files: x")
        for cell in (CELL, other)
    ]
    monkeypatch.setattr("fedssl.command.dry_run.planned_jobs", lambda *_, **__: jobs)
    for place in (CELL, f"results/demo/{stage}/{CELL}"):
        assert [job["outputs"] for job in data("explain", place)] == [list(jobs[0].outputs)]


def test_changes_are_found_at_any_depth():
    before, after = {"a": {"b": 1, "c": [2]}, "d": 0}, {"a": {"b": 1, "c": [3]}, "e": None}
    assert list(settings_diff(before, after)) == [
        ("a.c", [2], [3]),
        ("d", 0, ABSENT),
        ("e", ABSENT, None),
    ]
    assert list(settings_diff(after, after)) == []


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        (CHANGED.format(BEFORE, NOW), ["federation.rounds: 4 -> 9"]),
        (
            CHANGED.format("{'fedssl.a': '0123456789abcdef'}", "{'fedssl.a': 'f123456789abcdef'}"),
            ["code was edited: fedssl.a"],
        ),
        (
            CHANGED.format(
                "{'fedssl.a': '0123456789abcdef', 'fedssl.b': '0123456789abcdef'}",
                "{'fedssl.a': '0123456789abcdef'}",
            ),
            ["code is no longer used: fedssl.b"],
        ),
        (CHANGED.format("<nothing exclusive>", "3"), ["a parameter of its rule has changed"]),
        ("Missing output files: a, b", ["has not run, or its files are gone"]),
        ("Input files updated by another job: a, b", []),
        ("Updated input files: data/a", ["newer input: data/a"]),
        (
            f"Missing output files: a; {CHANGED.format(BEFORE, NOW)}",
            ["has not run, or its files are gone", "federation.rounds: 4 -> 9"],
        ),
    ],
)
def test_reasons_are_told_as_a_person_would(reason, expected):
    assert causes(reason) == expected


def test_a_job_that_only_follows_names_what_it_follows():
    assert follows("Input files updated by another job: a, b; Code has changed") == ["a", "b"]
    assert follows("Missing output files: a") == []


def test_costs_are_those_of_the_most_alike_jobs_and_never_invented(folder):
    measured = measured_jobs("results/demo")
    trained = next(record for record in measured if record.rule == "pretrain")
    wildcards = trained.content["wildcards"] | {"seed": "1"}
    known = PlannedJob("pretrain", wildcards, ("model",), "")
    never = PlannedJob("fine_tune", wildcards, ("metric",), "")
    one, two = costs([known, known, never], measured)
    assert (one.jobs, one.measured) == (2, 1)
    assert one.hours == pytest.approx(2 * trained.content["seconds"] / 3600)
    assert one.sent_bytes == 2 * 2000
    size = sum(path.stat().st_size for path in trained.files("outputs"))
    assert one.disk_bytes == 2 * size
    assert (two.measured, two.hours, two.disk_bytes, two.sent_bytes) == (0, None, None, None)


@pytest.mark.parametrize(
    ("hours", "text"),
    [(3e-5, "0.1 s"), (0.5, "30.0 min"), (1.0, "1.0 h"), (1234.5, "1,234.5 h"), (0.0, "0.0 s")],
)
def test_a_time_is_told_in_the_unit_that_suits_it(hours, text):
    assert duration(hours) == text


def test_costs_of_a_large_grid_take_no_longer_than_its_jobs(tmp_path):
    facts = {"seconds": 36.0, "hardware": {"gpu": None}, "outputs": {}, "rule": "pretrain"}
    grid = [
        {"variant": f"v{number % 50}", "split": f"s{number // 50}", "seed": str(number)}
        for number in range(5000)
    ]
    measured = [
        Record(tmp_path / f"{place}.json", tmp_path, facts | {"wildcards": wildcards}, "")
        for place, wildcards in enumerate(grid)
    ]
    jobs = [PlannedJob("pretrain", wildcards, ("model",), "") for wildcards in grid]
    unlike = PlannedJob("pretrain", {"variant": "v7", "split": "new"}, ("model",), "")
    started = time.process_time()
    (cost,) = costs([*jobs, unlike], measured)
    assert time.process_time() - started < 5  # seconds of this process
    assert (cost.jobs, cost.measured, cost.hours) == (5001, 5000, pytest.approx(50.01))


def test_costs_prefer_the_same_encoder(folder):
    sign(
        Path("results/demo/pretrain", CELL, "provenance.json"),
        lambda content: content.update(seconds=3600.0),
    )
    other = Path("results/demo/pretrain", CELL.replace("resnet18", "vit"))
    shutil.copytree(Path("results/demo/pretrain", CELL), other)

    def change(content: dict[str, Any]) -> None:
        content["wildcards"]["arch"] = "vit"
        content["seconds"] = 7200.0

    sign(other / "provenance.json", change)
    for arch, hours in (("resnet18", 1.0), ("vit", 2.0)):
        job = PlannedJob("pretrain", {"arch": arch, "variant": "base"}, ("model",), "")
        assert costs([job], measured_jobs("results/demo"))[0].hours == hours
    assert measured_jobs("no/such/folder") == []
