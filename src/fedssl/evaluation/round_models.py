"""Score the models of kept rounds by retrieval, and compute no score twice.

`evaluate` has scored the random encoder and the final model. Every other score is stored as soon as
it is known: for a rerun of a job that was killed, and for other cells. Early rounds of several
aggregators have the same backbone: in round 1 a `-bb` rule, FedU and the warm-up of L-DAWA all
average like the rule without it.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import safetensors.torch
import torch
from torch import Tensor

from fedssl.backbones.encoder import initialise
from fedssl.data.banks.bank import Bank
from fedssl.evaluation.features import features_by_split, load_backbone
from fedssl.evaluation.job_files import read_statistics
from fedssl.evaluation.plausibility import FEATURE_FACTS, feature_facts
from fedssl.evaluation.protocols import Features, task_hits
from fedssl.evaluation.settings import RoundSettings
from fedssl.evaluation.stored_scores import ScoreStore
from fedssl.federation.checkpoint import State, load_state
from fedssl.federation.milestones import kept_rounds, milestone
from fedssl.files import bytes_digest, digest, read_json, sha256
from fedssl.frames import read_parquet
from fedssl.views.bank_views import Views

# The round of the random encoder that pretraining starts from.
RANDOM_ENCODER = 0
# Number of models that see a view before the next one is made. On a CPU a log-mel view takes 0.16
# of the time of a ResNet-18's forward pass, so three at once save 10 % of the time, and ten would
# save 12 %. A killed job loses at most this many rounds.
_AT_ONCE = 3
_HITS = "hits"
_log = logging.getLogger(__name__)


class RoundScore(NamedTuple):
    """Hits of a round, (samples, len(ks)) bool, and the facts of its features."""

    hits: Tensor
    facts: dict[str, Any]


class RoundScorer:
    """Scores the kept rounds of a cell on one task."""

    def __init__(
        self,
        settings: RoundSettings,
        bank: Bank,
        inputs: Mapping[str, str],
        *,
        other_splits: Sequence[str],
        store: ScoreStore,
        device: torch.device,
    ) -> None:
        """Store what every round needs; see `score_rounds` for the arguments."""
        self._settings = settings
        self._inputs = inputs
        # The own split is the last to be stored: if it is there, so are the others.
        self._splits = (*other_splits, settings.split)
        self._store = store
        self._device = device
        statistics = read_statistics(inputs)
        self._views = Views(bank, settings, statistics=statistics, device=device)
        files = [inputs[name] for name in ("bank", "normalisation") if name in inputs]
        self._data = [sha256(path) for path in files]
        self._claimed: list[str] = []

    def scores(self) -> tuple[dict[int, RoundScore], list[int]]:
        """Return the score of each kept round, and the rounds that this job has computed."""
        rounds = kept_rounds(self._inputs["milestones"])
        known = dict(self._evaluated(rounds))
        keys = {r: self._keys(r) for r in rounds if r not in known}
        computed = self._compute(keys)
        for round_number, own in keys.items():
            known[round_number] = self._stored(own)
        return {r: known[r] for r in rounds}, sorted(computed)

    def release(self) -> None:
        """Let the scores be removed; call it once the outputs are written."""
        self._store.release(self._claimed)

    def _evaluated(self, rounds: Sequence[int]) -> Iterator[tuple[int, RoundScore]]:
        """Yield the rounds whose model `evaluate` has scored: the first and the last one."""
        settings = self._settings
        if RANDOM_ENCODER in rounds and "random_init" in self._inputs:
            start = initialise(settings.seed, **settings.encoder).state_dict()
            if _same_backbone(start, self._model(RANDOM_ENCODER)):
                yield RANDOM_ENCODER, self._read("random_init")
        if "final" in self._inputs:
            final = load_state(self._inputs["model"])
            if _same_backbone(final, self._model(rounds[-1])):
                yield rounds[-1], self._read("final")

    def _read(self, name: str) -> RoundScore:
        path = Path(self._inputs[name])
        metric, samples = read_json(path), read_parquet(self._inputs[f"{name}_samples"])
        hits = [
            torch.from_numpy(samples[f"hit@{k}"].to_numpy()) for k in self._settings.retrieval.ks
        ]
        return RoundScore(torch.stack(hits, dim=1), {name: metric[name] for name in FEATURE_FACTS})

    def _compute(self, keys: Mapping[int, Mapping[str, str]]) -> list[int]:
        """Compute and store the missing rounds; return them."""
        own = {r: split_keys[self._settings.split] for r, split_keys in keys.items()}
        self._claimed = list(own.values())
        missing = [r for r in own if self._store.find(own[r]) is None]
        # A round that another job has claimed comes last, because by then it may be there.
        mine = [r for r in missing if self._store.claim(own[r])]
        missing = mine + [r for r in missing if r not in mine]
        computed = []
        for start in range(0, len(missing), _AT_ONCE):
            some = missing[start : start + _AT_ONCE]
            some = [r for r in some if self._store.find(own[r]) is None]
            for round_number, features in zip(some, self._features(some), strict=True):
                self._keep(keys[round_number], features)
                _log.info("scored round %d", round_number)
            computed += some
        return computed

    def _features(self, rounds: Sequence[int]) -> list[dict[str, Features]]:
        settings = self._settings
        encoders = [initialise(settings.seed, **settings.encoder) for _ in rounds]
        return features_by_split(
            [load_backbone(self._model(r), e) for r, e in zip(rounds, encoders, strict=True)],
            self._views,
            self._splits,
            recalibrate=settings.recalibrate_batch_norm,
            device=self._device,
        )

    def _keep(self, keys: Mapping[str, str], features: Mapping[str, Features]) -> None:
        for split in self._splits:
            hits = task_hits(features[split], ks=self._settings.retrieval.ks)
            self._store.put(keys[split], {_HITS: hits}, feature_facts(features[split]))

    def _stored(self, keys: Mapping[str, str]) -> RoundScore:
        stored = self._store.find(keys[self._settings.split])
        assert stored is not None
        return RoundScore(stored.tensors[_HITS], stored.facts)

    def _keys(self, round_number: int) -> dict[str, str]:
        """Return the key of a round's score on each split; the folder stands for the settings."""
        # Not the head: it does not change a score, and `-bb` rules differ only in the head.
        weights = bytes_digest(safetensors.torch.save(_backbone(self._model(round_number))))
        return {split: digest([split, self._data, weights])[:32] for split in self._splits}

    def _model(self, round_number: int) -> State:
        return load_state(milestone(self._inputs["milestones"], round_number))


def other_splits(tasks: Sequence[Mapping[str, Any]], task: str) -> list[str]:
    """Return the splits of the later tasks on a task's dataset, if it is the first one on it.

    `tasks` are the `tasks` of a study.
    """
    datasets = {entry["task"]: entry.get("dataset", entry["task"]) for entry in tasks}
    alike = [entry for entry in tasks if datasets[entry["task"]] == datasets[task]]
    return [entry["split"] for entry in alike[1:]] if alike[0]["task"] == task else []


def _same_backbone(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> bool:
    one, other = _backbone(one), _backbone(other)
    return all(torch.equal(one[name], tensor) for name, tensor in other.items())


def _backbone(state: Mapping[str, Tensor]) -> State:
    return {name: tensor for name, tensor in state.items() if name.startswith("backbone.")}
