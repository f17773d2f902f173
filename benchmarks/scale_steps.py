"""The steps of `scale.py`: each returns, for a size and a folder, what is to be measured."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "src"))
sys.path.insert(0, str(ROOT))

Run = Callable[[], object]
DIM = 512  # of the features of ResNet-18
_SNAKEMAKE = [sys.executable, "-m", "snakemake"]


def bank(modality: str, size: int, folder: Path) -> Run:
    """Return the writing of a bank of tiny samples."""
    from fedssl.data.banks.partial_bank import open_partial_bank
    from fedssl.data.banks.writer import HEADER_BYTES, write_bank
    from fedssl.data.samples import Sample

    shape, dtype = {"image": ((2, 2, 3), np.uint8), "audio": ((8,), np.int16)}[modality]
    random = np.random.default_rng(0)

    def members() -> Iterator[Sample]:
        for place in range(size):
            data = random.integers(0, np.iinfo(dtype).max, shape, dtype)
            yield Sample(f"{place:07d}", f"class{place % 200:03d}", "train", data)

    def run() -> None:
        with open_partial_bank(folder / "state", key="a", start=HEADER_BYTES) as partial:
            write_bank(
                members(),
                folder / "bank",
                dataset="made-up",
                modality=modality,
                num_classes=200,
                counts={"train": size},
                max_bad_share=0.0,
                partial=partial,
            )

    return run


def images(size: int, folder: Path) -> Run:
    """Return the writing of a bank of images."""
    return bank("image", size, folder)


def waveforms(size: int, folder: Path) -> Run:
    """Return the writing of a bank of sounds."""
    return bank("audio", size, folder)


def shards(size: int, folder: Path) -> Run:
    """Return the dealing of a bank to 100 clients."""
    from fedssl.data.banks.bank import open_bank
    from fedssl.data.sharding import read_shards, write_shards

    bank("audio", size, folder)()
    sharding = {"alpha": 0.1, "clients": 100, "min_samples": 2}

    def run() -> None:
        opened = open_bank(folder / "bank")
        write_shards(opened, folder / "shards.json", sharding=sharding, seed=0)
        read_shards(folder / "shards.json", opened)

    return run


def client(size: int, folder: Path) -> Run:
    """Return a round of one client, on small pictures and with a narrow encoder."""
    import round as one_client

    from fedssl.federation.rounds import run_round

    one_client.CLIENTS, one_client.SAMPLES, one_client.SIZE = 1, size, 16
    federation, server, _ = one_client.prepare(folder)
    return lambda: run_round(federation, server, 1)


def knn(size: int, _folder: Path) -> Run:
    """Return the prediction of `size` queries from a bank of 200,000 features."""
    import torch

    from fedssl.evaluation.knn import knn_predict

    random = torch.Generator().manual_seed(0)
    features = torch.randn(200_000, DIM, generator=random)
    labels = torch.randint(200, (200_000,), generator=random)
    queries = torch.randn(size, DIM, generator=random)
    settings = {"bank_labels": labels, "num_classes": 200, "k": 200, "temperature": 0.1}
    return lambda: knn_predict(queries, features, **settings)


def page(seeds: int, folder: Path) -> Run:
    """Return the writing of the tables and the page of the whole grid, from made-up scores."""
    from tests.report_tree import ReportTree

    tree = ReportTree.of(folder)
    tree.config["seeds"] = list(range(seeds))
    return tree.write


def browser(seeds: int, folder: Path) -> Run:
    """Return the loading of the page in Chromium, up to its `load` event and a first filter."""
    from playwright.sync_api import sync_playwright
    from tests.browser.chromium import chromium

    page(seeds, folder)()
    file = folder / "results/report/index.html"
    print(f"page with {seeds} seeds: {file.stat().st_size / 1e6:.2f} MB", file=sys.stderr)
    found = chromium()

    def run() -> float:
        with sync_playwright() as playwright:
            opened = playwright.chromium.launch(
                executable_path=found.program, env=os.environ | found.env, args=["--no-sandbox"]
            )
            tab = opened.new_page()
            started = time.perf_counter()
            tab.goto(file.as_uri(), wait_until="load")
            tab.evaluate("() => new Promise(done => requestAnimationFrame(() => done()))")
            seconds = time.perf_counter() - started
            opened.close()
        return seconds

    return run


def planning(seeds: int, folder: Path) -> Run:
    """Return a dry run of the whole grid in which nothing has run."""
    command = [*_SNAKEMAKE, "--dry-run", "--config", f"seeds={list(range(seeds))}"]
    return lambda: _run(command, _checkout(folder))


def no_op(seeds: int, folder: Path) -> Run:
    """Return a dry run of the whole grid in which everything has run."""
    seeded, copy = ["--config", f"seeds={list(range(seeds))}"], _checkout(folder)
    _run([sys.executable, str(ROOT / "benchmarks/finished_run.py"), *seeded], copy)

    return lambda: _nothing_to_do([*_SNAKEMAKE, "--dry-run", *seeded], copy)


def _nothing_to_do(command: list[str], folder: Path) -> None:
    printed = _run(command, folder)
    assert "Nothing to be done" in printed, printed[-3000:]


def plain(seeds: int, folder: Path) -> Run:
    """Return a dry run of a plain workflow with as many jobs, inputs and outputs as the grid."""
    _write_plain(seeds, folder)
    return lambda: _run([*_SNAKEMAKE, "--dry-run"], folder)


def plain_no_op(seeds: int, folder: Path) -> Run:
    """Return a dry run of the plain workflow in which everything has run."""
    _write_plain(seeds, folder)
    _run([sys.executable, str(ROOT / "benchmarks/finished_run.py")], folder)
    return lambda: _nothing_to_do([*_SNAKEMAKE, "--dry-run"], folder)


def _write_plain(seeds: int, folder: Path) -> None:
    jobs = round(JOBS / 3 * seeds)
    (folder / "touch.py").touch()
    (folder / "Snakefile").write_text(PLAIN.replace("JOBS", str(jobs)))


JOBS = 2315  # of the grid with three seeds
PLAIN = """
SCORES = [f"{name}.{kind}" for name in ("knn", "probe") for kind in ("json", "parquet")]
ARRAYS = ("waveforms.npy", "offsets.npy", "labels.npy", "index.parquet")
def inputs(wildcards):
    cell, bank = int(wildcards.cell), f"banks/{int(wildcards.cell) % 20}"
    files = {"bank": f"{bank}/bank.json", "normalisation": "banks/0/bank.json"}
    if cell % 2:
        files["earlier"] = [f"scores/{cell - 1}/task/{score}" for score in SCORES]
    return files | {"arrays": [ancient(f"{bank}/{name}") for name in ARRAYS]}
def settings(wildcards): return {"seed": 0, "knn": {"k": 200, "temperature": 0.1}}
def megabytes(wildcards, attempt): return 4000
def minutes(wildcards, attempt): return 30 * attempt
rule all:
    input: [f"scores/{cell}/task/{score}" for cell in range(JOBS) for score in SCORES]
rule bank:
    output: "banks/{dataset}/bank.json", [f"banks/{{dataset}}/{name}" for name in ARRAYS]
    script: "touch.py"
rule score:
    input: unpack(inputs)
    output:
        scores=[f"scores/{{cell}}/{{task}}/{score}" for score in SCORES],
        rounds="scores/{cell}/{task}/rounds.csv",
        provenance="scores/{cell}/{task}/provenance.json",
    log: "logs/{cell}/{task}.log"
    benchmark: "benchmarks/{cell}/{task}.tsv"
    threads: 4
    resources: mem_mb=megabytes, runtime=minutes, gpu=1
    params: settings=settings, sources=settings
    script: "touch.py"
"""


@dataclass(frozen=True)
class Step:
    """A step with the size that the papers have, and a smaller one."""

    what: str
    unit: str
    full: int
    small: int
    prepare: Callable[[int, Path], Run]


STEPS = [
    Step("bank of Tiny ImageNet", "images", 100_000, 10_000, images),
    Step("bank of VGGSound", "clips", 183_730, 18_373, waveforms),
    Step("bank of NSynth", "notes", 293_301, 29_330, waveforms),
    Step("shards of NSynth", "notes", 293_301, 29_330, shards),
    Step("largest client", "samples", 8_000, 800, client),
    Step("kNN, bank of 200,000", "queries", 100_000, 10_000, knn),
    Step("tables and page", "seeds", 3, 1, page),
    Step("page in Chromium", "seeds", 3, 1, browser),
    Step("plan, nothing has run", "seeds", 3, 1, planning),
    Step("plan, everything has run", "seeds", 3, 1, no_op),
    Step("plain workflow, nothing", "seeds", 3, 1, plain),
    Step("plain workflow, everything", "seeds", 3, 1, plain_no_op),
]


def _run(command: list[str], folder: Path) -> str:
    """Return what a command prints in a folder."""
    env = os.environ | {"PYTHONPATH": str(folder / "src")}
    ran = subprocess.run(
        command, cwd=folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert ran.returncode == 0, ran.stdout[-3000:]
    return ran.stdout


def _checkout(folder: Path) -> Path:
    from tests.workflow.project import Project

    return Project.copy(folder / "checkout").root
