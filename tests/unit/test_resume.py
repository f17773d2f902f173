"""Resuming: wherever a run was interrupted, it ends with the bits of the whole one."""

from pathlib import Path

import pytest

from fedssl.federation import rounds
from fedssl.files import sha256
from tests.unit.federations import SETTINGS, history, lay_out, run


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return lay_out(tmp_path_factory.mktemp("federation"))


class Interrupted(Exception):
    pass


@pytest.mark.parametrize("after", [1, 3])
def test_an_interrupted_run_ends_with_the_same_bits(
    inputs: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    whole = run(inputs, tmp_path / "whole")
    resumed = run_twice(inputs, tmp_path / "resumed", monkeypatch, after=after)
    assert sha256(resumed) == sha256(whole)
    assert (tmp_path / "resumed" / "state").exists(), "kept until the job is recorded"
    assert history(tmp_path / "resumed") == history(tmp_path / "whole")


VIT = {"arch": "vit", "image_size": 32, "patch": 8, "depth": 2, "heads": 4, "dim": 32}


@pytest.mark.parametrize(
    "changes",
    [
        {"method": {"name": "simclr", "temperature": 0.5, "loss": "ntxent-viewmaker"}},
        {"method": {"name": "barlow-twins", "off_diagonal_weight": 0.005, "std": "biased"}},
        {
            "method": {
                "name": "acop",
                "n_clips": 3,
                "clip_seconds": 0.1,
                "gap_seconds": 0.05,
                "dropout": 0.5,
            },
            "split": "a100-i0-b0",
        },
        {"encoder": VIT},
        {"method": {"name": "byol", "predictor_hidden": 32}},
        {"method": {"name": "moco", "queue": 16}, "encoder": VIT},
    ],
)
def test_every_method_and_encoder_resumes_with_the_same_bits(
    inputs: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    changes: dict[str, object],
) -> None:
    settings = {**changes, "federation": SETTINGS["federation"] | {"rounds": 2}}  # type: ignore[operator]
    if changes.get("split") == "a100-i0-b0":
        inputs = {name: path for name, path in inputs.items() if not name.startswith("image")}
    whole = run(inputs, tmp_path / "whole", **settings)
    resumed = run_twice(inputs, tmp_path / "resumed", monkeypatch, after=1, **settings)
    assert sha256(resumed) == sha256(whole)
    assert sha256(run(inputs, tmp_path / "seed", **settings, seed=1)) != sha256(whole)


def run_twice(
    inputs: dict[str, str],
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    after: int,
    **changes: object,
) -> Path:
    """Stop a run after some rounds and run it again."""
    run_round = rounds.run_round

    def interrupted(*arguments: object) -> object:
        if arguments[2] == after + 1:
            raise Interrupted
        return run_round(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(rounds, "run_round", interrupted)
    with pytest.raises(Interrupted):
        run(inputs, folder, **changes)
    monkeypatch.setattr(rounds, "run_round", run_round)
    return run(inputs, folder, **changes)
