"""The crate of a real run, before the profile's own validator and another project's reader."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.workflow.project import Project

CRATE = "results/demo"
METADATA = "ro-crate-metadata.json"


def environment(folder: Path, *requirements: str) -> Path:
    """Return the programs of a new environment: these tools exclude libraries of ours."""
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    pip = [folder / "bin/python", "-m", "pip", "install", "--quiet", *requirements]
    subprocess.run(pip, check=True)
    return folder / "bin"


@pytest.fixture(scope="module")
def crate(finished: Project) -> Path:
    finished.run("--cores", "2", "crate")
    return finished.root / CRATE


@pytest.fixture(scope="module")
def validator(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the validator's programs, its cache filled with the context it would fetch."""
    folder = tmp_path_factory.mktemp("validator")
    programs = environment(folder, "roc-validator==0.13.0", "rocrate==0.14.0")
    (context,) = folder.glob("lib/python*/site-packages/rocrate/data/ro-crate.jsonld")
    script = Path(__file__).with_name("cached_context.py")
    subprocess.run([programs / "python", script, folder / "cache", context], check=True)
    return programs


def validate(validator: Path, crate: Path, report: Path) -> dict[str, object]:
    options = ["-p", "provenance-run-crate", "-l", "required", "-f", "json", "-o", str(report)]
    offline = ["--offline", "--cache-path", str(validator.parent / "cache"), "--no-paging"]
    command = [validator / "rocrate-validator", "-y", "validate", *offline, *options, crate]
    subprocess.run(command, capture_output=True, check=False)
    found: dict[str, object] = json.loads(report.read_text())
    return found


def test_the_crate_lists_each_file_of_the_results(crate: Path) -> None:
    graph = json.loads((crate / METADATA).read_text())["@graph"]
    files = {e["@id"]: e["sha256"] for e in graph if "File" in e["@type"]}
    everything = (path for path in crate.rglob("[!.]*") if path.is_file())
    here = {path.relative_to(crate) for path in everything}
    listed = {Path(name) for name in files}
    unlisted = {path.parts[0] for path in here - listed}
    own = {
        METADATA,
        "ro-crate-preview.html",
        "crate.provenance.json",
        "audit.json",
        "audit.provenance.json",
    }
    assert unlisted <= {"logs", "benchmarks", *own}
    assert listed <= here
    for name, digest in files.items():
        printed = subprocess.check_output(["sha256sum", crate / name], text=True)
        assert printed.split()[0] == digest, name


@pytest.mark.slow
def test_the_profiles_validator_passes_the_crate(
    crate: Path, validator: Path, tmp_path: Path
) -> None:
    result = validate(validator, crate, tmp_path / "report.json")
    assert result["passed"], result["issues"]
    assert len(result["statistics"]["profiles"]) == 5  # type: ignore[index]
    broken = tmp_path / "crate"
    shutil.copytree(crate, broken)
    metadata = json.loads((crate / METADATA).read_text())
    for entity in metadata["@graph"]:
        if entity["@type"] == "ControlAction":
            del entity["instrument"]
    (broken / METADATA).write_text(json.dumps(metadata))
    result = validate(validator, broken, tmp_path / "report.json")
    assert not result["passed"], "the validator does not look"


@pytest.mark.slow
def test_runcrate_reads_every_job(crate: Path, tmp_path: Path) -> None:
    programs = environment(tmp_path / "runcrate", "runcrate==0.6.2")
    printed = subprocess.check_output([programs / "runcrate", "report", crate], text=True)
    graph = json.loads((crate / METADATA).read_text())["@graph"]
    actions = [e["@id"] for e in graph if e["@type"] == "CreateAction"]
    assert [f"action: {name}" in printed for name in actions] == [True] * len(actions)
    assert printed.count("  step: #step-") == len(actions) - 1
    assert "code/workflow/scripts/pretrain.py" in printed
