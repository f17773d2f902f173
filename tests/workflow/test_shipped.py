"""What is shipped: the commands of the documents, every configuration, the two lists of pins."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from tests.unit.documents import Document, documents
from tests.workflow.project import ROOT, Project

SHARDS = "shards/tiny-imagenet/dirichlet-0.5-4/seed0.json"
MODEL = "pretrain/fssuavl/simclr/resnet18/fedavg/a0-i0-b100/base/seed0/model.safetensors"


_ENVIRONMENT = re.compile(r"^(?:[A-Z_]+=\S+ +)+")
# Programs of others that a test cannot have.
_ABSENT = ("pip-audit ", "squeue ")


def first_uses() -> dict[str, list[str]]:
    """Return the commands of each document, without those that an earlier one has."""
    seen: set[str] = set()
    found = {}
    for document in documents():
        commands = [command for command in document.commands() if command not in seen]
        seen.update(commands)
        found[document.name] = [line for line in commands if not line.startswith(_ABSENT)]
    return {name: commands for name, commands in found.items() if commands}


COMMANDS = first_uses()


def dry(command: str) -> str:
    """Return a command that starts no job: its program only says what it would do."""
    given = _ENVIRONMENT.match(command)
    variables = given[0] if given else ""
    program, _, arguments = command.removeprefix(variables).partition(" ")
    if program in ("make", "snakemake"):
        return f"{variables}{program} --dry-run {arguments}"
    if program == "fedssl":  # subcommand and options have to exist
        return f"PYTHONPATH=src python -m {command} --help"
    if command.startswith(("python -m pip ", "python -m benchmarks.")):
        return f"{command} --help"
    assert command.startswith(("export ", "find ")), (
        f"no dry run of {command!r}; name the test that runs its block: <!-- run by FILE::TEST -->"
    )
    return command


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_of_a_document_works(unfinished: Project, name: str) -> None:
    # The commands say nothing of seeds, and each of several plans the papers' whole grid.
    unfinished.edit("config/config.yaml", lambda text: text.replace("[0, 1, 2]", "[0]", 1))
    for file, content in Document(name).files().items():
        (unfinished.root / file).write_text(content)
    model = unfinished.root / "results/paper" / MODEL
    model.parent.mkdir(parents=True)
    model.touch()
    (unfinished.root / "results/paper/logs/pretrain").mkdir(parents=True)
    shell = "set -e\n" + "\n".join(dry(command) for command in COMMANDS[name])
    venv = Path(sys.executable).parent
    environment = os.environ | {"PATH": f"{venv}:{os.environ['PATH']}"}
    ran = subprocess.run(
        ["bash", "-c", shell], cwd=unfinished.root, env=environment, capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_every_setting_is_described() -> None:
    text = "".join(page.text for page in documents("docs/reference/settings"))
    settings = yaml.safe_load((ROOT / "config/experiments.yaml").read_text())
    keys = leaves({key: settings[key] for key in ("scale", "settings", "methods", "encoders")})
    keys += leaves({"evaluation": settings["evaluation"]})
    keys += leaves(yaml.safe_load((ROOT / "config/config.yaml").read_text()))
    assert not [key for key in keys if f"`{key}`" not in text]


def leaves(mapping: dict[str, object], prefix: str = "") -> list[str]:
    found = []
    for key, value in mapping.items():
        path = f"{prefix}{key}"
        found += leaves(value, f"{path}.") if isinstance(value, dict) and value else [path]
    return found


@pytest.mark.parametrize(("name", "cells"), [("demo", 16), ("mini", 20)])
def test_every_shipped_study_is_planned(unfinished: Project, name: str, cells: int) -> None:
    planned = unfinished.planned(config=("--configfile", f"config/{name}.yaml"))
    assert planned["pretrain"] == cells
    assert (planned["table"], planned["loss_figure"], planned["claims"]) == (14, 2, 1)
    assert (planned["map_figure"], planned["silhouettes"], planned["sweep_figure"]) == (2, 2, 1)
    assert (planned["communication"], planned["report_page"]) == (2, 1)


def test_the_datasets_table_takes_the_banks_of_the_studies_and_no_other(
    unfinished: Project,
) -> None:
    """The grid trains and scores on images only, so no sound is made, read or fetched."""
    assert unfinished.planned("datasets_table") == {
        "synthesise": 2,
        "bank_images": 2,
        "datasets": 1,
        "datasets_table": 1,
    }


def test_the_lock_has_one_hash_a_line_and_names_no_registry() -> None:
    for name in ("requirements.lock", "envs/cuda.lock"):
        lock = (ROOT / name).read_text()
        assert all(line.count("--hash=sha256:") <= 1 for line in lock.splitlines())
        assert len(re.findall(r"==", lock)) <= lock.count("--hash=sha256:")
        assert "--index" not in lock and "--extra-index" not in lock and "://" not in lock


def test_the_lock_is_within_what_the_package_says_it_needs() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lock = (ROOT / "requirements.lock").read_text()
    pins = dict(re.findall(r"^([a-z0-9][^ ;=]*)==([^ ;]+)", lock, re.MULTILINE))
    needed = map(Requirement, [*project["dependencies"], *project["optional-dependencies"]["dev"]])
    outside = [str(needs) for needs in needed if pins[needs.name] not in needs.specifier]
    assert outside == []
    assert "3.11.0" in SpecifierSet(project["requires-python"])


def test_schemas_say_what_each_key_is() -> None:
    schema = json.loads((ROOT / "config/schemas/config.schema.json").read_text())
    assert schema["additionalProperties"] is False
    undescribed = [
        path
        for path, node in nodes(schema, "")
        if node.get("type") in ("integer", "number", "boolean") and "description" not in node
    ]
    assert undescribed == []


def nodes(schema: object, path: str) -> list[tuple[str, dict[str, object]]]:
    found: list[tuple[str, dict[str, object]]] = []
    if isinstance(schema, dict):
        found.append((path, schema))
        for key, value in schema.items():
            # The description of a list or of a mapping is that of its entries.
            if key not in ("items", "patternProperties"):
                found += nodes(value, f"{path}.{key}")
    return found


def test_make_says_in_one_sentence_what_is_wrong_with_the_python(tmp_path: Path) -> None:
    project = Project.copy(tmp_path)
    for python, words in [("/no/such/python", "is missing"), ("/bin/true", "is missing")]:
        ran = subprocess.run(
            ["make", "test", f"PYTHON={python}"],
            cwd=project.root,
            capture_output=True,
            text=True,
        )
        assert ran.returncode != 0
        assert f"needs Python 3.11, but '{python}' {words}" in ran.stderr
        assert not (project.root / ".venv").exists()


def test_make_says_in_one_sentence_that_a_path_with_a_space_does_not_work(tmp_path: Path) -> None:
    root = tmp_path / "with space"
    root.mkdir()
    project = Project.copy(root)
    ran = subprocess.run(["make", "demo"], cwd=project.root, capture_output=True, text=True)
    assert ran.returncode != 0 and "This path contains a space" in ran.stderr
    assert not (project.root / ".venv").exists()


def pins(name: str) -> dict[str, str]:
    text = (ROOT / name).read_text()
    return dict(re.findall(r"^(?:      - )?([a-z0-9][^ ;=]*)==([^ ;\n]+)", text, re.MULTILINE))


def test_every_variant_has_the_pins_of_the_lock_and_no_tool_for_tests() -> None:
    lock, run, cpu = map(pins, ("requirements.lock", "envs/cuda.lock", "envs/cpu.txt"))
    assert run.items() <= lock.items() and cpu.items() <= run.items()
    assert pins("envs/fedssl.yaml") == run
    cuda = {name for name in run if name.startswith(("nvidia-", "cuda-"))} | {"triton"}
    assert len(cuda) > 10 and run.keys() - cpu.keys() == cuda
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert {Requirement(text).name for text in project["dependencies"]} <= cpu.keys()
    assert not {"pytest", "mypy", "lightly", "ruff", "playwright"} & run.keys()


def test_ci_runs_what_ci_run_does() -> None:
    ci = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())
    assert [step["run"] for step in ci["jobs"]["run"]["steps"] if "run" in step] == [".ci/run"]


def test_make_help_lists_every_target() -> None:
    printed = subprocess.run(["make", "-s"], cwd=ROOT, capture_output=True, text=True, check=True)
    targets = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert targets is not None
    assert set(re.findall(r"^make (\S+) ", printed.stdout, re.MULTILINE)) == {*targets[1].split()}


def test_the_dependencies_page_has_every_direct_dependency() -> None:
    page = (ROOT / "docs/dependencies.md").read_text()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needed = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    names = (Requirement(text).name for text in needed)
    assert [name for name in names if name not in page and not name.startswith("types-")] == []


def test_the_changelog_has_the_version_and_what_changed_results() -> None:
    text = (ROOT / "CHANGELOG.md").read_text()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert f"## {project['version']}\n" in text
    assert "### Results changed" in text.split(f"## {project['version']}\n")[0]


@pytest.mark.slow
def test_the_steps_of_the_image_work_in_a_clean_environment(tmp_path: Path) -> None:
    """No container tool is needed: the steps of the Dockerfile run with other folders."""
    text = (ROOT / "envs/Dockerfile").read_text().replace("\\\n", " ")
    steps = [line.removeprefix("RUN ") for line in text.splitlines() if line.startswith("RUN ")]
    steps = [step.replace("/opt/fedssl", str(tmp_path)) for step in steps if "apt-get" not in step]
    assert len(steps) == 3
    shutil.copy(ROOT / "envs/cuda.lock", tmp_path)
    path = f"{tmp_path}/venv/bin:{Path(sys.executable).resolve().parent}:/usr/bin:/bin"
    environment = {"PATH": path, "HOME": str(tmp_path), "VARIANT": "cuda"}
    environment |= {key: os.environ[key] for key in os.environ if key.startswith("PIP_")}
    for step in steps:
        subprocess.run(["sh", "-euc", step], env=environment, cwd=tmp_path, check=True)
    root = tmp_path / "checkout"
    root.mkdir()
    project = Project.copy(root)
    environment["PYTHONPATH"] = str(root / "src")
    command = ["snakemake", "--cores", "2", "--configfile", "config/demo.yaml"]
    command += ["tests/workflow/grid.yaml", "--", f"results/demo/{SHARDS}"]
    subprocess.run(command, cwd=project.root, env=environment, check=True)
    assert (root / "results/demo" / SHARDS).is_file()
