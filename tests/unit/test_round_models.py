"""Scores of rounds: none is computed twice, and a killed job ends with the bytes of a whole one."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import yaml

from fedssl.backbones.encoder import initialise
from fedssl.data.samples import Sample
from fedssl.evaluation.evaluate import evaluate
from fedssl.evaluation.plan import remove_shared_scores, round_inputs, round_state
from fedssl.evaluation.round_models import RoundScorer, other_splits
from fedssl.evaluation.round_scores import score_rounds
from fedssl.evaluation.stored_scores import ScoreStore
from fedssl.federation.checkpoint import save_state
from fedssl.federation.milestones import milestone
from fedssl.files import write_json
from tests.unit import banks
from tests.unit.federations import SETTINGS
from tests.unit.figures import ROOT, shipped_plan
from tests.unit.killed import killed

IDENTITY = {"task": "toy", "seed": "0"}
FILES = {
    "scores": "rounds.csv",
    "samples": "rounds.parquet",
    "best_round": "best-round.json",
    "held_out_round": "held-out-round.json",
    "best": "best.safetensors",
}
OUTPUTS = sorted([*FILES.values(), "best-round.parquet", "held-out-round.parquet"])


def settings(split: str) -> dict[str, Any]:
    return {
        **SETTINGS,
        "split": split,
        "retrieval": {"ks": [1, 5]},
        "recalibrate_batch_norm": False,
    }


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(0)
    samples = [
        Sample(
            f"{i}.wav",
            "abc"[i % 3],
            ("train", "validation", "test")[i // 3 % 3],
            rng.normal(0, 900 * (1 + i % 3), 8000).astype(np.int16),
        )
        for i in range(90)
    ]
    banks.write(samples, folder / "bank")
    write_json(folder / "statistics.json", {"mean": -6.0, "std": 3.0})
    return {
        "bank": str(folder / "bank/bank.json"),
        "normalisation": str(folder / "statistics.json"),
    }


def lay_out_cell(folder: Path, *, seeds: tuple[int, ...] = (0, 1, 2, 3)) -> dict[str, str]:
    """Write kept rounds with encoders of these seeds, and the final model."""
    for round_number, seed in enumerate(seeds):
        state = initialise(seed, **SETTINGS["encoder"]).state_dict()
        save_state(state, milestone(folder / "milestones", round_number))
    save_state(state, folder / "model.safetensors")
    return {
        "milestones": str(folder / "milestones"),
        "model": str(folder / "model.safetensors"),
    }


def arguments(folder: Path, inputs: dict[str, str], **changes: Any) -> dict[str, Any]:
    folder.mkdir(parents=True, exist_ok=True)
    return {
        "identity": IDENTITY,
        "inputs": inputs,
        "outputs": {key: str(folder / name) for key, name in FILES.items()},
        "other_splits": [],
        "state": str(folder / "state"),
        **changes,
    }


def score(
    folder: Path, inputs: dict[str, str], *, split: str = "validation", **changes: Any
) -> list[int]:
    """Score into `folder`; return the rounds that were computed."""
    given = arguments(folder, inputs, **changes)
    computed: list[int] = score_rounds(settings(split), **given)["computed_rounds"]
    return computed


def written(folder: Path) -> dict[str, bytes]:
    found = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    assert sorted(found) == OUTPUTS
    return found


def test_a_killed_job_continues_and_ends_with_the_same_bytes(
    data: dict[str, str], tmp_path: Path
) -> None:
    inputs = data | lay_out_cell(tmp_path / "cell")
    assert score(tmp_path / "whole", inputs) == [0, 1, 2, 3]
    killed(
        "fedssl.evaluation.round_scores:score_rounds",
        settings("validation"),
        arguments(tmp_path / "killed", inputs),
        after="fedssl.evaluation.stored_scores:ScoreStore.put",
        count=2,
    )
    assert score(tmp_path / "killed", inputs) == [2, 3]
    assert written(tmp_path / "killed") == written(tmp_path / "whole")


def test_the_first_task_of_a_dataset_scores_the_splits_of_the_others(
    data: dict[str, str], tmp_path: Path
) -> None:
    inputs, shared = data | lay_out_cell(tmp_path / "cell"), str(tmp_path / "shared")
    score(tmp_path / "first", inputs, state=shared, other_splits=["test"])
    assert score(tmp_path / "other", inputs, split="test", state=shared) == []
    assert score(tmp_path / "alone", inputs, split="test") == [0, 1, 2, 3]
    assert written(tmp_path / "other") == written(tmp_path / "alone")


def test_a_backbone_is_scored_once_for_all_cells_that_have_it(
    data: dict[str, str], tmp_path: Path
) -> None:
    shared = str(tmp_path / "shared")
    one = data | lay_out_cell(tmp_path / "one", seeds=(0, 1, 2))
    other = data | lay_out_cell(tmp_path / "other", seeds=(0, 1, 3))
    # Another head, as after a round of a `-bb` rule.
    start = initialise(1, **SETTINGS["encoder"]).state_dict()
    head = {name: t + 1 for name, t in start.items() if name.startswith("head.")}
    save_state({**start, **head}, milestone(tmp_path / "other/milestones", 1))
    score(tmp_path / "first", one, state=shared)
    assert score(tmp_path / "second", other, state=shared) == [2]
    score(tmp_path / "alone", other)
    assert written(tmp_path / "second") == written(tmp_path / "alone")


def evaluated(folder: Path, inputs: dict[str, str]) -> dict[str, str]:
    """Score the random encoder and the final model; return the scores as inputs."""
    others = yaml.safe_load((ROOT / "config/experiments.yaml").read_text())["evaluation"]
    own = settings("validation") | {name: others[name] for name in ("knn", "linear-probe")}
    found = {}
    for name, without in (("random_init", "model"), ("final", None)):
        metric = str(folder / f"{name}.json")
        given = {key: path for key, path in inputs.items() if key != without}
        evaluate(own, identity=IDENTITY, inputs=given, metrics={"retrieval": metric})
        found |= {name: metric, f"{name}_samples": metric.replace(".json", ".parquet")}
    return found


def test_the_first_and_the_last_model_are_scored_by_evaluate(
    data: dict[str, str], tmp_path: Path
) -> None:
    inputs = data | lay_out_cell(tmp_path / "cell")
    known = inputs | evaluated(tmp_path, inputs)
    assert score(tmp_path / "known", known) == [1, 2]
    score(tmp_path / "alone", inputs)
    assert written(tmp_path / "known") == written(tmp_path / "alone")
    # Scores of other models are of no use.
    changed = known | lay_out_cell(tmp_path / "changed", seeds=(4, 1, 2, 3))
    changed["model"] = str(milestone(tmp_path / "changed/milestones", 1))
    assert score(tmp_path / "other", changed) == [0, 1, 2, 3]


def test_what_another_job_computes_comes_last(
    data: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inputs, order = data | lay_out_cell(tmp_path / "cell"), []
    keep, claim = RoundScorer._keep, ScoreStore.claim
    claims: list[str] = []

    def claimed(store: ScoreStore, key: str) -> bool:
        claims.append(key)
        return len(claims) != 2 and claim(store, key)

    def kept(scorer: RoundScorer, keys: Any, features: Any) -> None:
        order.append(claims.index(keys["validation"]))
        keep(scorer, keys, features)

    monkeypatch.setattr(ScoreStore, "claim", claimed)
    monkeypatch.setattr(RoundScorer, "_keep", kept)
    score(tmp_path / "scores", inputs)
    assert order == [0, 2, 3, 1]


def test_a_damaged_score_is_computed_again(data: dict[str, str], tmp_path: Path) -> None:
    inputs = data | lay_out_cell(tmp_path / "cell", seeds=(0, 1))
    score(tmp_path / "whole", inputs)
    whole = written(tmp_path / "whole")
    (damaged, *_) = (tmp_path / "whole/state").glob("*.safetensors")
    damaged.write_bytes(damaged.read_bytes()[:40])
    assert len(score(tmp_path / "whole", inputs)) == 1
    assert written(tmp_path / "whole") == whole


def test_only_the_first_task_on_a_dataset_scores_others() -> None:
    tasks = [
        {"task": "words", "split": "validation"},
        {"task": "notes", "split": "test"},
        {"task": "words-test", "dataset": "words", "split": "test"},
    ]
    found = {entry["task"]: other_splits(tasks, entry["task"]) for entry in tasks}
    assert found == {"words": ["test"], "notes": [], "words-test": []}


CELL = {
    "study": "fassl",
    "method": "simclr",
    "arch": "resnet18",
    "aggregator": "fedavg",
    "split": "a100-i0-b0",
    "variant": "e5",
    "seed": "1",
}


class Job(SimpleNamespace):
    """The wildcards of a job."""

    def items(self) -> Any:
        return vars(self).items()


def test_a_job_reads_what_evaluate_and_the_first_task_have_scored() -> None:
    plan = shipped_plan()
    found = round_inputs(plan, Job(**CELL, task="speech-commands-test"))
    own = "results/evaluate/fassl/simclr/resnet18/fedavg/a100-i0-b0/e5/seed1"
    random = "results/evaluate/fassl/random-init/resnet18/base/seed1"
    for name, path in {
        "random_init": f"{random}/speech-commands-test/retrieval.json",
        "random_init_samples": f"{random}/speech-commands-test/retrieval.parquet",
        "final": f"{own}/speech-commands-test/retrieval.json",
        "final_samples": f"{own}/speech-commands-test/retrieval.parquet",
        "first_task": f"{own}/speech-commands/rounds.csv",
    }.items():
        assert found[name] == path
        # An edit of another protocol reruns `evaluate`, and must not rerun this job.
        assert found[name].flags["ancient"]  # type: ignore[attr-defined]
    assert "first_task" not in round_inputs(plan, Job(**CELL, task="speech-commands"))


def test_rounds_that_evaluate_does_not_score_are_not_waited_for() -> None:
    kept = {"studies": {"fassl": {"settings": {"federation": {"kept_rounds": [1, 50]}}}}}
    found = round_inputs(shipped_plan(**kept), Job(**CELL, task="dov"))
    assert set(found) == {"bank", "normalisation"}


def test_shared_scores_have_one_folder_per_settings_and_go_when_a_run_succeeds(
    tmp_path: Path,
) -> None:
    plan = shipped_plan(results=str(tmp_path))
    words, test, other = (
        round_state(plan, Job(**CELL | changes))
        for changes in (
            {"task": "speech-commands"},
            {"task": "speech-commands-test", "aggregator": "l-dawa"},
            {"task": "speech-commands", "seed": "2"},
        )
    )
    assert words == test != other
    finished, interrupted = ScoreStore(Path(words)), ScoreStore(Path(other))
    assert finished.claim("key") and interrupted.claim("key")
    finished.release(["key"])
    remove_shared_scores(plan)
    assert not Path(words).exists() and Path(other).exists()
