"""Portable runs: which settings and jobs they reach, what they refuse, and their square roots."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from inspect import signature
from pathlib import Path
from queue import SimpleQueue
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from fedssl.data.plan import statistics_settings
from fedssl.device import prepare_device
from fedssl.errors import UserError
from fedssl.evaluation import embedding_map, evaluate, evaluate_pairs, round_scores
from fedssl.evaluation.plan import fine_tune_settings, round_settings, score_settings
from fedssl.evaluation.plan_pairs import pair_settings
from fedssl.federation import centralised, distributed, rounds
from fedssl.federation.plan import pretrain_settings
from fedssl.federation.settings import FederatedSettings
from fedssl.paper.map_panels import map_settings
from fedssl.portable import LIMITS, sqrt
from fedssl.record.environment import prepare_jobs
from fedssl.typed import typed
from tests.conftest import PORTABLE
from tests.unit.figures import ROOT, shipped_plan
from tests.unit.portable_cell import KEPT, report

Jobs = list[tuple[Callable[..., Any], Callable[..., dict[str, Any]], dict[str, str]]]
CELL = {
    "study": "fssuavl",
    "method": "simclr",
    "arch": "resnet18",
    "aggregator": "fedavg",
    "split": "a0-i0-b100",
    "variant": "base",
    "seed": "0",
}
FASSL = {"study": "fassl", "aggregator": "centralised", "split": "a100-i0-b0"}
AVX2 = torch.backends.cpu.get_cpu_capability() in ("AVX2", "AVX512")


def start_worker(settings: Mapping[str, Any], **_: Any) -> None:
    gpus: SimpleQueue[None] = SimpleQueue()
    gpus.put(None)
    distributed._start(typed(FederatedSettings, settings), {}, gpus)


# Every job that computes with torch, the planning function of its settings, and its wildcards.
JOBS: Jobs = [
    (rounds.pretrain, pretrain_settings, {}),
    (start_worker, pretrain_settings, {}),
    (centralised.pretrain, pretrain_settings, FASSL),
    (evaluate.evaluate, score_settings, {"task": "cifar10"}),
    (evaluate.fine_tune, fine_tune_settings, {"task": "epic-sounds"}),
    (round_scores.score_rounds, round_settings, {"task": "cifar10"}),
    (evaluate_pairs.evaluate_pairs, pair_settings, {"task": "mnist-fsdd"}),
    (embedding_map.embedding_map, map_settings, {"checkpoint": "final"}),
]


class AnyFile(dict[str, str]):
    """Arguments of a job that stops before it reads them."""

    def __missing__(self, key: str) -> str:
        return "nowhere"


@pytest.fixture
def without_limits(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in LIMITS:
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


@pytest.fixture
def with_limits(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name, value in LIMITS.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


@pytest.mark.parametrize(("job", "settings", "axes"), JOBS)
def test_every_job_that_computes_records_portable_and_refuses_to_run_without_its_limits(
    job, settings, axes, without_limits
):
    without_limits.setattr(signal, "signal", lambda *_: None)  # a worker ignores Ctrl-C for good
    wildcards = SimpleNamespace(**{**CELL, **axes})
    before, after = (settings(shipped_plan(portable=p), wildcards) for p in (False, True))
    assert before | {"portable": True} == after != before
    arguments = {name: AnyFile() for name in list(signature(job).parameters)[1:]}
    with pytest.raises(UserError, match=r"portable is true, .*ATEN_CPU_CAPABILITY=avx2"):
        job(after, **arguments)


def test_spectrogram_statistics_are_computed_again() -> None:
    wildcards = SimpleNamespace(study="fssuavl", dataset="vggsound")
    before, after = (
        statistics_settings(shipped_plan(portable=p), wildcards) for p in (False, True)
    )
    assert before | {"portable": True} == after != before


@pytest.mark.parametrize("portable", [False, True])
def test_only_jobs_of_a_portable_run_are_started_with_the_limits(monkeypatch, portable):
    own = {"MKL_CBWR": "AVX2"}
    monkeypatch.setattr(os, "environ", dict(own))
    banks = {"read_from": "auto", "staging": None}
    given = {"mirror": None, "pins": "pins.yaml", "engine": "native"}
    given |= {"superlink": None, "track": None, "copies": None}
    prepare_jobs(Path("src"), banks=banks, portable=portable, rules="*", **given)  # type: ignore[arg-type]
    found = {name: value for name, value in os.environ.items() if name in LIMITS}
    assert found == (LIMITS if portable else own)


def test_a_limit_of_another_value_is_refused(with_limits) -> None:
    with_limits.setenv("MKL_CBWR", "AVX2")
    with pytest.raises(UserError, match=r"started without MKL_CBWR=COMPATIBLE; "):
        prepare_device(1, portable=True)


@pytest.mark.parametrize("found", ["DEFAULT", "AVX512"])
def test_a_cpu_that_uses_other_instructions_is_refused(found, with_limits) -> None:
    with_limits.setattr(torch.backends.cpu, "get_cpu_capability", lambda: found)
    with pytest.raises(UserError, match=f"the instruction set {found} .* CPU with AVX2"):
        prepare_device(1, portable=True)


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_roots_of_a_portable_job_are_correctly_rounded(kind, with_limits) -> None:
    given = np.random.default_rng(0).uniform(0, 4, (100, 100)).astype(kind)
    values = torch.from_numpy(given.copy()).t()
    # In double precision, where the root of a single-precision number rounds correctly.
    correct = np.sqrt(given.astype(np.float64)).astype(kind)
    assert np.array_equal(sqrt(values).numpy().T, correct)
    assert np.array_equal(values.numpy().T, given)


def test_roots_of_other_jobs_are_those_of_torch(without_limits) -> None:
    values = torch.linspace(0, 4, 1000)
    assert torch.equal(sqrt(values), values.sqrt())


@pytest.mark.skipif(not AVX2, reason="portable runs need a CPU with AVX2")
def test_small_cells_run_and_report_whether_this_cpu_gives_the_kept_hashes(record_property) -> None:
    environment = os.environ | LIMITS | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-m", "tests.unit.portable_cell"]
    ran = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    found, kept = json.loads(ran.stdout), json.loads(KEPT.read_text())
    assert found["hashes"].keys() == kept["hashes"].keys()
    # The kept ones were computed under these limits, too.
    assert found["instructions"].partition(" ")[0] == "AVX2"
    assert found["instructions"] == kept["instructions"]
    record_property(PORTABLE, report(found, kept))


def test_the_report_names_what_is_equal_and_what_is_not() -> None:
    kept = {"cpu": "A", "packages": {"torch": "1"}, "hashes": {"resnet18": "x", "vit": "y"}}
    assert (
        report(kept | {"cpu": "B"}, kept)
        == "B compared with A: the same: resnet18, vit; other: none"
    )
    other = {"cpu": "B", "packages": {"torch": "2"}, "hashes": {"resnet18": "x", "vit": "z"}}
    assert report(other, kept) == (
        "B compared with A and other package versions: the same: resnet18; other: vit"
    )
