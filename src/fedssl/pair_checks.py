"""Checking the paired tasks that a study declares, one sentence a mistake."""

from collections.abc import Mapping, Sequence
from typing import Any

from fedssl.configuration import Layer, closest, origin
from fedssl.errors import UserError
from fedssl.splits import MODALITIES


def check_pairs(config: Mapping[str, Any], study: str, layers: Sequence[Layer]) -> None:
    """Raise UserError unless each pair of a study has its own name and fits its datasets."""
    names = list(config["datasets"])
    for place, pair in enumerate(config["studies"][study].get("pairs", [])):
        source = origin(("studies", study, "pairs", place), layers)
        key = f"{source}: studies.{study}.pairs[{place}]"
        if pair["pair"] in names:
            raise UserError(
                f"{key}.pair is {pair['pair']!r}, the name of a dataset or of another pair; a pair "
                "needs its own."
            )
        names.append(pair["pair"])
        for modality in MODALITIES:
            _check_dataset(config["datasets"], pair, modality, key)


def _check_dataset(
    datasets: Mapping[str, Any], pair: Mapping[str, str], modality: str, key: str
) -> None:
    name = pair[modality]
    if name not in datasets:
        hint = closest(name, datasets)
        raise UserError(f"{key}.{modality} names {name!r}, which is no dataset{hint}.")
    if (found := datasets[name]["modality"]) != modality:
        raise UserError(f"{key}.{modality} names {name!r}, a dataset of modality {found}.")
    for split in ("train", pair["split"]):
        if split not in datasets[name]["splits"]:
            known = ", ".join(datasets[name]["splits"])
            raise UserError(f"{key} needs the split {split!r} of {name}, which has {known}.")
