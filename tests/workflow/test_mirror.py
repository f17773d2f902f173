"""The mirror: exactly what a target needs, and a run from it where there is no network."""

import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
import yaml

from fedssl.files import sha256
from tests.unit.archives import SMALL, real_archives, synthetic_archives
from tests.workflow.project import Project

GRID = ("config/demo.yaml", "toy.yaml")
FILES = ("--configfile", GRID[0], "--configfile", GRID[1])
CELL = "pretrain/fssuavl/simclr/resnet18/fedavg/a0-i100-b0/base/seed0/model.safetensors"
MINI_TABLE2 = {"cifar10", "fsdd", "tiny-imagenet"}


@cache
def refused_network() -> tuple[str, ...]:
    """Return what starts a command without a network, or nothing where that takes more rights."""
    command = ("unshare", "--map-root-user", "--net")
    works = (
        shutil.which("unshare") and not subprocess.run([*command, "true"], check=False).returncode
    )
    return command if works else ()


def offline(project: Project, *words: str, ok: bool = True) -> str:
    """Run a command of the environment with no network, or with proxies that nobody answers."""
    program, *arguments = words
    closed = dict.fromkeys(("http_proxy", "https_proxy", "all_proxy"), "http://127.0.0.1:9")
    ran = subprocess.run(
        [*refused_network(), Path(sys.executable).with_name(program), *arguments],
        cwd=project.root,
        env={**os.environ, **closed, "PYTHONPATH": "src"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.returncode == 0) == ok, ran.stdout + ran.stderr
    return ran.stdout + ran.stderr


def collect(project: Project, *words: str, ok: bool = True) -> str:
    return offline(project, "python", "-m", "fedssl", "mirror", *words, ok=ok)


def files(folder: Path) -> set[str]:
    found = {path.relative_to(folder) for path in folder.rglob("*") if path.is_file()}
    return {str(path) for path in found if not path.name.startswith(".")}


@pytest.fixture
def toy(unfinished: Project) -> Project:
    """A project whose demo takes its archives from a folder as if they were official ones."""
    entries = {}
    for dataset in ("tiny-imagenet", "cifar10", "fsdd", "speech-commands"):
        source = unfinished.root / "source" / dataset
        source.mkdir(parents=True)
        archives = {
            key: {"file": path.name, "urls": [], "size": path.stat().st_size}
            | {"checksum": f"sha256:{sha256(path)}"}
            for key, path in synthetic_archives(dataset, source).items()
        }
        classes, splits = SMALL[dataset]
        entries[dataset] = {"archives": archives, "classes": classes, "splits": dict(splits)}
        entries[dataset] |= {"synthetic": False, "unverified": []}
    own = {"datasets": entries, "evaluation": {"retrieval": {"ks": [1]}}}
    (unfinished.root / "toy.yaml").write_text(yaml.safe_dump(own))
    return unfinished


def test_a_target_runs_from_its_mirror_without_a_network(toy: Project) -> None:
    words = (*FILES, "--config", "mirror=source")
    collect(toy, f"results/demo/{CELL}", "carried", *words)
    one = "tiny-imagenet/tiny-imagenet-200.zip"
    assert files(toy.root / "carried") == {one, "SHA256SUMS"}
    bank = "results/demo/banks/tiny-imagenet/bank.json"
    (toy.root / "source").rename(toy.root / "gone")
    run = ("snakemake", "--cores", "1", "--retries", "0", bank, "--configfile", *GRID)
    failed = offline(toy, *run, ok=False)
    assert "cannot obtain tiny-imagenet-200.zip" in failed
    offline(toy, *run, "--config", "mirror=carried")
    assert (toy.root / bank).is_file()
    (toy.root / "config/pins.yaml").write_text(f"{one}: sha256:{64 * '0'}\n")
    assert toy.planned(bank, config=("--configfile", *GRID)) == {}, "a pin reruns nothing"


def test_a_second_target_is_added_and_an_interrupted_one_goes_on(toy: Project) -> None:
    words = (*FILES, "--config", "mirror=source")
    carried = toy.root / "carried"
    collect(toy, f"results/demo/{CELL}", "carried", *words)
    archive = carried / "tiny-imagenet/tiny-imagenet-200.zip"
    before = archive.stat().st_mtime_ns
    fsdd = toy.root / "source/fsdd"
    fsdd.rename(toy.root / "source/away")
    failed = collect(toy, "fssuavl", "carried", *words, ok=False)
    assert "fedssl: fsdd: cannot obtain" in failed and "Traceback" not in failed
    (toy.root / "source/away").rename(fsdd)
    collect(toy, "fssuavl", "carried", *words)
    assert archive.stat().st_mtime_ns == before, "what is right is kept"
    listed = {line.split("  ")[1] for line in (carried / "SHA256SUMS").read_text().splitlines()}
    assert listed == files(carried) - {"SHA256SUMS"}
    fetched = {"tiny-imagenet", "cifar10", "fsdd", "speech-commands"}
    assert {name.split("/")[0] for name in listed} == fetched, "the demo makes up the rest"
    subprocess.run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=carried, check=True)


def test_archives_at_hand_are_taken_from_the_data_folder(toy: Project) -> None:
    data = toy.root / "results/demo/archives"
    shutil.copytree(toy.root / "source", data)
    shutil.rmtree(toy.root / "source")
    collect(toy, f"results/demo/{CELL}", "carried", *FILES)
    assert "tiny-imagenet/tiny-imagenet-200.zip" in files(toy.root / "carried")


def test_an_archive_put_there_by_hand_is_held_against_its_entry(toy: Project) -> None:
    data = toy.root / "results/demo/archives"
    shutil.copytree(toy.root / "source", data)
    archive = data / "tiny-imagenet/tiny-imagenet-200.zip"
    whole = archive.read_bytes()
    archive.write_bytes(whole[:99] + b"?" + whole[100:])
    bank = "results/demo/banks/tiny-imagenet/bank.json"
    run = ("snakemake", "--cores", "1", bank, "--configfile", *GRID)
    failed = offline(toy, *run, ok=False)
    assert "is not the archive that tiny-imagenet declares: its sha256" in " ".join(failed.split())
    assert not (toy.root / bank).exists() and archive.stat().st_size == len(whole)
    archive.write_bytes(whole)
    offline(toy, *run)
    assert toy.planned(bank, config=("--configfile", *GRID)) == {}


def test_a_mistyped_target_is_named(toy: Project) -> None:
    printed = collect(toy, "fssuavl_tabel2", "carried", *FILES, ok=False)
    assert "did you mean fssuavl_table2?" in printed and "Traceback" not in printed


def test_the_real_subsets_are_carried(unfinished: Project) -> None:
    """Table 2 of `mini`: its encoders, and the images they are scored on, and no other archive."""
    mirror = real_archives("fsdd")["recordings"].parents[1]
    words = ("--configfile", "config/mini.yaml", "--config", f"mirror={mirror}")
    collect(unfinished, "fssuavl_table2", "carried", *words)
    carried = unfinished.root / "carried"
    assert {name.split("/")[0] for name in files(carried)} - {"SHA256SUMS"} == MINI_TABLE2
    official = dict(
        reversed(line.split()) for line in (mirror / "SHA256SUMS").read_text().splitlines()
    )
    for line in (carried / "SHA256SUMS").read_text().splitlines():
        checksum, name = line.split("  ")
        assert official[f"./{name}"] == checksum
    bank = "results/mini/banks/fsdd/bank.json"
    config = ("--configfile", "config/mini.yaml", "--config", "mirror=carried")
    offline(unfinished, "snakemake", "--cores", "1", bank, *config)
    assert (unfinished.root / bank).is_file()
