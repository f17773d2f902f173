"""The pairs of a job: their banks, positions and labels, and how their scores are written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from fedssl.data.banks.bank import Bank, open_bank
from fedssl.data.pairing import pair_split
from fedssl.evaluation.job_files import score_facts, write_score
from fedssl.evaluation.protocols import Score
from fedssl.evaluation.settings import PairingSettings
from fedssl.grid.splits import MODALITIES


@dataclass(frozen=True)
class Pairs:
    """Training pairs and scored pairs of an image and a sound.

    Attributes:
        banks: modality -> bank.
        train: modality -> positions of the training pairs in the bank of that modality.
        scored: modality -> positions of the scored pairs in the bank of that modality.
    """

    banks: Mapping[str, Bank]
    train: Mapping[str, np.ndarray]
    scored: Mapping[str, np.ndarray]

    @property
    def classes(self) -> Sequence[str]:
        """The classes of the labels."""
        return self.banks["audio"].classes

    @property
    def train_labels(self) -> np.ndarray:
        """The class of each training pair, (pairs,) int64."""
        labels: np.ndarray = self.banks["audio"].labels[self.train["audio"]]
        return labels

    @property
    def scored_labels(self) -> np.ndarray:
        """The class of each scored pair, (pairs,) int64."""
        labels: np.ndarray = self.banks["audio"].labels[self.scored["audio"]]
        return labels

    def duplicates(self, modalities: Sequence[str]) -> np.ndarray | None:
        """Return which scored pairs hold a copy of a training sample; None if that is unknown."""
        found = [
            self.banks[name].duplicates(self.scored[name], of=self.train[name])
            for name in modalities
        ]
        known = [mask for mask in found if mask is not None]
        return np.any(known, axis=0) if len(known) == len(found) else None


def open_pairs(
    settings: PairingSettings, inputs: Mapping[str, str], *, device: torch.device
) -> Pairs:
    """Return the pairs of a job; `inputs` has the bank.json files `image_bank`, `audio_bank`."""
    folders = {name: Path(inputs[f"{name}_bank"]).parent for name in MODALITIES}
    train, scored = (
        pair_split(
            *(folders["image"], folders["audio"]),
            by=settings.by,
            split=split,
            seed=settings.seed,
        )
        for split in ("train", settings.split)
    )
    banks = {name: open_bank(folder, device=device) for name, folder in folders.items()}
    return Pairs(banks, train, scored)


def write_pair_score(
    result: Score, pairs: Pairs, *, shown: Sequence[str], facts: Mapping[str, Any], path: str
) -> None:
    """Write the score of an encoder that was shown the modalities `shown` of the pairs.

    In the sample table, `position` is the position of a pair's sound, and `image` of its image.
    """
    positions = {"position": pairs.scored["audio"], "image": pairs.scored["image"]}
    judged = score_facts(
        result,
        memory_labels=pairs.train_labels,
        query_labels=pairs.scored_labels,
        duplicates=pairs.duplicates(shown),
    )
    write_score(
        result,
        samples={**positions, "label": pairs.scored_labels},
        facts={**facts, "modality": "+".join(shown), **judged},
        path=path,
    )
