"""`fedssl show`, `diff` and `audit` on made-up results."""

import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from fedssl.command.main import app
from fedssl.errors import UserError
from fedssl.evaluation.statistics import accuracy_interval
from fedssl.files import read_json
from fedssl.record.folder import results_folder
from tests.unit.commands import ROOT, data, fedssl
from tests.unit.results import CELL, MODEL, sign


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


def test_show_begins_with_the_scores_and_their_intervals(folder):
    shown = fedssl("show", CELL).stdout
    score = read_json(folder / f"results/demo/evaluate/{CELL}/cifar10/knn.json")
    ends = accuracy_interval([score["value"]], [score["n_eval"]], averages_over_seeds=[])
    line = f"{score['value']:.2f} {ends[0]:.2f} to {ends[1]:.2f} {score['n_eval']}"
    before = " ".join(shown[: shown.index("settings")].split())
    assert f"cifar10 knn {line}" in before
    (found,) = (one for one in data("show", CELL)["scores"] if one["value"] == score["value"])
    assert found["interval"] == list(ends)


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


def test_diff_as_a_page_has_what_the_text_has_in_the_same_order(folder):
    shutil.copytree("results/demo", "results/other")
    record = Path("results/other/pretrain", CELL, "provenance.json")

    def change(content: dict[str, Any]) -> None:
        content["settings"]["federation"]["rounds"] = "<script>99</script>"
        content["settings"]["seed"] = 7
        content["hardware"]["cpu"] = "another"

    sign(record, change)
    score = next(path for path in Path("results/other/evaluate").rglob("knn.json"))
    content = json.loads(score.read_text())
    score.write_text(json.dumps(content | {"value": content["value"] - 1.5}))
    said = fedssl("diff", "results/demo", "results/other", "--html", "out/diff.html").stdout
    assert "This is also in out/diff.html." in said
    page = Path("out/diff.html").read_text()
    keys = re.findall('<tr><th scope="row">(.*?)</th>', page)
    found = data("diff", "results/demo", "results/other")
    assert keys == [c["key"] for part in list(found.values())[:5] for c in part]
    assert len(keys) == 4
    assert "<script>" not in page and "&lt;script&gt;99" in page
    assert ">-1.50</td>" in page and "may give other bits" in page
    assert "http" not in re.sub(r'content="[^"]*"', "", page), "it loads nothing"


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


def test_audit_counts_the_arrays_that_are_absent(folder):
    (folder / "results/demo/banks/fsdd/waveforms.npy").unlink()
    result = fedssl("audit", "results/demo")
    assert result.exit_code == 0
    assert "1 file is absent and not verified, see the notes" in result.stdout


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
