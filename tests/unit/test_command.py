"""The `fedssl` command on made-up results: what it prints, as JSON, and for mistakes."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from fedssl.command.arguments import each_with_option
from fedssl.command.costs import Estimator, JobCost
from fedssl.command.main import app
from tests.unit.commands import ROOT, data, fedssl
from tests.unit.results import CELL, MODEL, sign


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
    assert all(
        name in ran.stdout for name in ("cells", "explain", "show", "diff", "estimate", "repair")
    )


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
    for stage in ("pretrain", "evaluate"):
        shutil.rmtree(folder / "results/demo" / stage / CELL)
    assert data("cells", "--status", "not-run", "--arch", "resnet18")
    assert [cell["study"] for cell in data("cells", "--status", "done")] == ["fassl"]
    assert "1 of 2 cells" in fedssl("cells", "--status", "done").stdout


def test_cells_tell_the_time_left_for_the_rounds_that_are_not_done(folder, monkeypatch):
    cost = JobCost(28800, "CPU", 1, 0, 0, frozenset())
    monkeypatch.setattr(Estimator, "each", lambda self, jobs: [cost for _ in jobs])
    assert "2 of 2 pretrained: 2 done" in fedssl("cells").stdout
    shutil.rmtree(folder / "results/demo/pretrain" / CELL)
    for done, left in ((0, "20.0 min"), (45, "5.0 min"), (60, "8.0 h")):
        log = folder / f"results/demo/logs/pretrain/{CELL}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text(f"x INFO round {done} of 60  loss 3.6  20.0 s a round  0:00:02 left\n")
        told = fedssl("cells").stdout
        assert f"1 of 2 pretrained, about {left} left one after another: " in told


def test_a_cell_of_other_settings_than_declared_is_not_done(folder):
    sign(
        folder / f"results/demo/pretrain/{CELL}/provenance.json",
        lambda content: content["settings"]["optimiser"].update(lr=0.9),
    )
    assert [c["study"] for c in data("cells", "--status", "other-settings")] == ["fssuavl"]
    assert [c["study"] for c in data("cells", "--status", "done")] == ["fassl"]


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
    for stage in ("pretrain", "evaluate"):
        shutil.rmtree(folder / "results/demo" / stage / CELL)
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


def test_a_cell_that_has_just_ended_and_is_damaged_is_not_running(folder):
    (folder / "results/demo" / MODEL).write_bytes(b"")
    log = folder / f"results/demo/logs/pretrain/{CELL}.log"
    log.parent.mkdir(parents=True)
    log.write_text("2026-11-21 18:33:00,695 INFO round 60 of 60  loss 3.6  20.0 s a round\n")
    assert data("cells", "--study", "fssuavl")[0]["status"] == "damaged"
    (folder / f"results/demo/pretrain/{CELL}/provenance.json").unlink()
    assert data("cells", "--study", "fssuavl")[0]["status"] == "running", "the record is gone"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["cells", "--arch", "resnet"], "--arch is 'resnet' (did you mean resnet18?)"),
        (
            ["cells", "--status", "finished"],
            "there are not-run, running, interrupted, damaged, other-settings, pretrained, done",
        ),
        (["show", "fssuavl/simclr"], "fssuavl/simclr is not a cell"),
        (["show", CELL.replace("seed0", "seed7")], "has not run in results/demo"),
        (["show", CELL.replace("resnet18", "*")], "has not run in results/demo"),
        (["explain", CELL.replace("fedavg", "fedavgg")], "(did you mean fssuavl/simclr/resnet18"),
        (["explain", "fssuavl_table2"], "has no Snakefile"),
        (["audit", "nowhere"], "nowhere does not exist"),
        (["repair", "empty"], "empty has no provenance.json"),
        (["cells", "--stdy", "x"], "(Possible options: --seed, --split, --study). See `"),
        (["cells", "a", "b"], "Got unexpected extra argument(s) (a b). See `"),
        (["celss"], "No such command 'celss'. Did you mean 'cells'? See `"),
        (["power", "--seeds", "x"], "Invalid value for '--seeds': it must be a valid integer"),
        (["embed", "a", "b", "--size", "1"], "--size is 1; it must be from 8 to 4096."),
        (["embed", "a", "b", "--modality", "x"], "'x' is not one of 'image', 'audio'. See `"),
        (["estimate"], "Missing argument 'target'. See `"),
    ],
)
def test_a_mistake_is_one_sentence_and_exit_code_2(folder, arguments, words):
    (folder / "empty").mkdir()
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


def test_a_value_on_the_command_line_wins_over_files(folder):
    shutil.move("results/demo", "results/other")
    assert data("cells", "--status", "done") == []
    elsewhere = ("--config", "results_dir=results/other")
    found = data("cells", "--status", "done", *elsewhere)
    assert {Path(cell["path"]).parts[1] for cell in found} == {"other"}
    for wrong, said in (("results_dir", "it must be key=value"), ("seeds=[", "is not YAML")):
        result = fedssl("cells", "--config", wrong)
        assert result.exit_code == 2 and said in result.stderr


@pytest.mark.parametrize(
    ("given", "expanded"),
    [
        ("explain --configfile a.yaml b.yaml all", "--configfile a.yaml --configfile b.yaml all"),
        ("explain --configfile a.yaml all", "--configfile a.yaml all"),
        (
            "explain --configfile a.yaml missing.yaml",
            "--configfile a.yaml --configfile missing.yaml",
        ),
        ("explain --configfile a.yaml missing.json", "--configfile a.yaml missing.json"),
        ("cells --config a=1 b=2 c", "--config a=1 --config b=2 c"),
        ("cells a=1 --json", "a=1 --json"),
    ],
)
def test_several_values_follow_one_option_as_in_snakemake(given, expanded, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a.yaml", "b.yaml"):
        (tmp_path / name).touch()
    words = given.split()
    assert each_with_option(words) == [words[0], *expanded.split()]


def test_an_error_is_json_too_where_json_is_asked_for(folder):
    ran = fedssl("show", "nothing", "--json")
    assert ran.exit_code == 2 and "nothing is not a cell" in json.loads(ran.stdout)["error"]
    for words in (["cells", "--stdy", "x"], ["show"], ["nothing"], ["--nothing"]):
        ran = CliRunner().invoke(app, [*words, "--json"])
        assert ran.exit_code == 2
        assert ran.stderr == f"fedssl: {json.loads(ran.stdout)['error']}\n"


def test_what_begins_like_a_cell_is_listed(folder):
    ran = fedssl("show", "fssuavl/simclr")
    assert ran.exit_code == 2 and f"these begin with it: {CELL};" in ran.stderr


def test_a_mirror_without_targets_says_what_is_missing(folder):
    ran = fedssl("mirror", "fassl_table3")
    assert ran.exit_code == 2 and "name the targets and then the folder" in ran.stderr


@pytest.mark.parametrize("option", ["-h", "--help"])
def test_help_names_the_choices_and_the_version_is_known(option):
    shown = " ".join(CliRunner().invoke(app, ["cells", option]).stdout.split())
    assert "simclr" in shown and "resnet18" in shown
    assert CliRunner().invoke(app, ["--version"]).stdout.startswith("fedssl 0.")


def test_cells_count_what_is_pretrained(folder):
    assert "2 of 2 pretrained: 2 done" in fedssl("cells").stdout
