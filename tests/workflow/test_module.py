"""The workflow as others use it: a module, deployed, from another directory, from a read-only copy.

Each test runs real jobs: it makes archives, reads one into a bank and deals its samples.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from tests.workflow.project import CONFIG, Project
from tests.workflow.warm import WarmSnakemake, make_read_only

SHARDS = "results/demo/shards/tiny-imagenet/dirichlet-0.5-4/seed0.json"
IMPORTER = """
configfile: "{checkout}/config/demo.yaml"
configfile: "{checkout}/tests/workflow/grid.yaml"


rule mine:
    input:
        "{shards}",
    output:
        "mine.txt",
    shell:
        "cp {{input}} {{output}}"


module fedssl:
    snakefile:
        {snakefile}
    config:
        config


use rule * from fedssl{names}
"""


@dataclass(frozen=True)
class Folder:
    """A working directory that is no checkout."""

    root: Path
    checkout: Project

    def importer(self, names: str = "", *, snakefile: str = "") -> None:
        """Write a Snakefile with a rule of its own that imports the workflow."""
        root = self.checkout.root
        text = IMPORTER.format(
            checkout=root,
            shards=SHARDS,
            snakefile=snakefile or f'"{root}/workflow/Snakefile"',
            names=names,
        )
        (self.root / "Snakefile").write_text(text)

    def run(
        self, *arguments: str, ok: bool = True, prepare: Callable[[], None] | None = None
    ) -> str:
        """Run Snakemake to its end in this folder and return what it printed."""
        env = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        env |= {"XDG_CACHE_HOME": str(self.root / ".cache"), "HOME": str(self.root)}
        words = ["--cores", "2", *arguments]
        process = WarmSnakemake(words, cwd=self.root, env=env, prepare=prepare)
        printed = process.wait(600)
        assert (process.returncode == 0) == ok, printed
        return printed

    def shards(self) -> dict[str, object]:
        """Return the shards that a run has dealt."""
        found: dict[str, object] = json.loads((self.root / SHARDS).read_text())
        return found


@pytest.fixture
def folder(tmp_path: Path, copy: Project) -> Folder:
    return Folder(tmp_path, copy)


def test_a_module_without_a_prefix_runs_with_rules_of_its_importer(folder: Folder) -> None:
    folder.importer()
    printed = folder.run("mine.txt")
    assert "rule shards:" in printed
    assert (folder.root / "mine.txt").read_text() == (folder.root / SHARDS).read_text()
    assert sorted(folder.root.glob("results/*")) == [folder.root / "results/demo"]


def test_a_module_with_a_prefix_has_its_targets_and_records_under_their_names(
    folder: Folder,
) -> None:
    folder.importer(" as fedssl_*")
    printed = folder.run(SHARDS, "--set-resources", "fedssl_pretrain:gpu=0")
    assert "rule fedssl_shards:" in printed and "localrule fedssl_shards:" in printed
    record = json.loads((folder.root / SHARDS).with_suffix(".provenance.json").read_text())
    assert record["rule"] == "shards"
    planned = folder.run("-n", "fedssl_datasets_table", "mine.txt")
    assert "rule fedssl_datasets:" in planned and "rule mine:" in planned


def test_a_module_refuses_a_setting_that_it_does_not_know(folder: Folder) -> None:
    folder.importer()
    printed = folder.run("mine.txt", "--config", "seedz=[0]", ok=False)
    assert "config of module fedssl: seedz is no setting (did you mean seeds?)" in printed


def test_results_go_to_another_directory_than_the_checkout(folder: Folder) -> None:
    root = folder.checkout.root
    before = sorted(root.rglob("*"))
    files = [str(root / name) for name in CONFIG[1:]]
    folder.run("-s", f"{root}/workflow/Snakefile", SHARDS, "--configfile", *files)
    assert folder.shards()["clients"]
    assert [path for path in sorted(root.rglob("*")) if path not in before] == []


def test_a_directory_has_configuration_files_of_its_own(folder: Folder) -> None:
    root = folder.checkout.root
    (folder.root / "config").mkdir()
    text = (root / "config/config.yaml").read_text()
    (folder.root / "config/config.yaml").write_text(text.replace("results/paper", "results/own"))
    elsewhere = ["-s", f"{root}/Snakefile", "--directory", str(folder.root)]
    assert "results/own/tables" in folder.run("-n", "datasets_table", *elsewhere)


@pytest.mark.skipif(
    subprocess.run(["unshare", "--mount", "true"], capture_output=True).returncode != 0,
    reason="mounts need the rights of root",
)
def test_a_checkout_that_cannot_be_written(folder: Folder) -> None:
    root = folder.checkout.clone(folder.root / "checkout").root
    files = [str(root / name) for name in CONFIG[1:]]
    folder.run(
        *("-s", f"{root}/workflow/Snakefile", SHARDS, "--configfile", *files),
        prepare=partial(make_read_only, root),
    )
    assert folder.shards()["clients"]


@pytest.mark.slow
def test_snakedeploy_deploys_what_runs(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its tool is in an environment of its own, and a local repository stands in for the host."""
    venv = folder.root / "venv"
    subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
    subprocess.run([str(venv / "bin/pip"), "install", "--quiet", "snakedeploy"], check=True)
    host = hosted(folder.checkout, folder.root)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(host))
    deployed = Folder(folder.root / "deployed", folder.checkout)
    command = [str(venv / "bin/snakedeploy"), "deploy-workflow", "https://github.com/lab/fedssl"]
    subprocess.run([*command, str(deployed.root), "--branch", "main"], check=True)
    text = (folder.checkout.root / "config/config.yaml").read_text()
    own = text.replace("results/paper", "results/own").replace("[0, 1, 2]", "[0]")
    (deployed.root / "config/config.yaml").write_text(own)
    files = ["--configfile", "config/config.yaml", "config/demo.yaml"]
    deployed.run(SHARDS, *files)
    assert deployed.shards()["clients"]


def hosted(project: Project, folder: Path) -> Path:
    """Return a git configuration in which a copy of a project stands in for a repository online."""
    repository = project.clone(folder / "repository").root
    names = ("-c", "user.name=a", "-c", "user.email=a@b")
    for words in (["init", "-q", "-b", "main"], ["add", "-A"], [*names, "commit", "-qm", "a"]):
        subprocess.run(["git", *words], cwd=repository, check=True)
    file = folder / "gitconfig"
    file.write_text(
        f'[url "file://{repository}"]\n\tinsteadOf = https://github.com/lab/fedssl\n'
        "[safe]\n\tdirectory = *\n"
    )
    return file
