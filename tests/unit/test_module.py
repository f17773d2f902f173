"""The workflow as a module of another: its configuration, its rules' names, its place."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from fedssl.grid.module import module_layers
from fedssl.record.environment import own_rule_name
from fedssl.record.inputs import Inputs

INNER = """
import json
from pathlib import Path
from fedssl.grid.snakemake_api import is_module, rule_name, set_amount, storage_folder

Path(f"said-{is_module(workflow)}.json").write_text(json.dumps({
    "name": rule_name(workflow, "write"),
    "pattern": rule_name(workflow, "*"),
    "gpu": set_amount(workflow, "write", "gpu"),
    "storage": storage_folder(workflow),
}))

rule write:
    output: "a.txt"
    shell: "touch {output}"
"""
OUTER = """
module inner:
    snakefile: "inner.smk"

use rule * from inner as inner_*
"""


def said(folder: Path, snakefile: str, *options: str) -> dict[str, object]:
    for name, text in (("inner.smk", INNER), ("outer.smk", OUTER)):
        (folder / name).write_text(text)
    command = [str(Path(sys.executable).with_name("snakemake")), "-n", "-s", snakefile, *options]
    subprocess.run([*command, "--", "a.txt"], cwd=folder, check=True, capture_output=True)
    found: dict[str, object] = json.loads(next(folder.glob("said-*.json")).read_text())
    return found


def test_snakemake_says_what_a_rule_is_called_in_a_module(tmp_path: Path) -> None:
    options = ("--set-resources", "inner_write:gpu=2")
    assert said(tmp_path, "outer.smk", *options) == {
        "name": "inner_write",
        "pattern": "inner_*",
        "gpu": 2,
        "storage": None,
    }
    assert (tmp_path / "said-True.json").is_file()


def test_snakemake_says_whether_files_are_in_a_storage(tmp_path: Path) -> None:
    found = said(tmp_path, "inner.smk", "--default-storage-provider", "fs")
    folder = ".snakemake/storage/fs"
    assert found == {"name": "write", "pattern": "*", "gpu": None, "storage": folder}
    assert (tmp_path / "said-False.json").is_file()


@pytest.fixture
def shipped(tmp_path: Path) -> list[Path]:
    (tmp_path / "a.yaml").write_text("{seeds: [0], limits: {runtime: 10, mem_mb: 20}}")
    return [tmp_path / "a.yaml"]


def layer_of_module(shipped: list[Path], config: dict[str, object], **typed: object) -> object:
    *_, last = module_layers("fedssl", config, shipped=shipped, command_line=typed)
    assert last.name == "config of module fedssl"
    return last.content


def test_what_a_module_is_given_overrides_the_shipped_files(shipped: list[Path]) -> None:
    layers = module_layers("fedssl", {"seeds": [1]}, shipped=shipped, command_line={})
    assert [layer.content for layer in layers] == [
        {"seeds": [0], "limits": {"runtime": 10, "mem_mb": 20}},
        {"seeds": [1]},
    ]


def test_what_a_deployment_repeats_of_the_shipped_files_is_no_change(shipped: list[Path]) -> None:
    assert layer_of_module(shipped, {"seeds": [0], "scale": "paper"}) == {"scale": "paper"}


def test_a_setting_of_the_command_line_is_a_modules_only_if_it_is_passed_on(
    shipped: list[Path],
) -> None:
    given = {"settings": {"lr": "0.1"}, "mirror": "null"}
    assert layer_of_module(shipped, given, **given) == {"settings": {"lr": 0.1}, "mirror": None}
    assert layer_of_module(shipped, {"title": "2024"}, samples="a.csv") == {"title": "2024"}


@pytest.mark.parametrize(
    ("pattern", "rule"), [("*", "shards"), ("a_*", "a_shards"), ("*_b", "shards_b")]
)
def test_records_have_the_workflows_own_names_of_rules(monkeypatch, pattern, rule) -> None:
    monkeypatch.setenv("FEDSSL_RULES", pattern)
    assert own_rule_name(rule) == "shards"


def test_samples_of_a_bank_are_not_hashed_when_a_job_starts(tmp_path: Path) -> None:
    for name in ("bank.json", "images.npy", "labels.npy"):
        (tmp_path / name).touch()
    other = tmp_path / "other/images.npy"
    other.parent.mkdir()
    other.touch()
    files = [str(tmp_path / name) for name in ("bank.json", "images.npy", "labels.npy")]
    hashed = Inputs([*files, str(other)]).digests()
    assert sorted(hashed) == sorted([files[0], files[2], str(other)])
