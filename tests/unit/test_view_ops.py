"""What a view costs a device: few operations, two copies from the host, and no waiting."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from fedssl.data.banks.bank import open_bank
from fedssl.randomness import stream
from fedssl.typed import typed
from fedssl.views import settings
from fedssl.views.constants import constant
from fedssl.views.fine_tune import FineTuneViews
from tests.unit import banks
from tests.unit.federations import SETTINGS

VIEWS = typed(settings.ViewSettings, SETTINGS)
LIGHT = settings.FineTuneAugmentation(crop=0.8, flip_probability=0.5)
# They give a new shape to the same memory, and launch nothing.
SHAPES = {
    "_unsafe_view", "alias", "expand", "permute", "select", "slice", "split", "t", "transpose",
    "unbind", "unfold", "unsqueeze", "view", "view_as_real",
}  # fmt: skip
# The first makes a tensor of Python's numbers, the second a tensor of one number on the device.
CONSTANTS = {"lift_fresh", "scalar_tensor"}


class Counts(TorchDispatchMode):
    """Counts the operations that launch something, and the copies between devices."""

    def __init__(self) -> None:
        super().__init__()
        self.operations: Counter[str] = Counter()
        self.copies = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        result, name = func(*args, **(kwargs or {})), func.overloadpacket.__name__
        if name not in SHAPES:
            self.operations[name] += 1
        if name in {"_to_copy", "copy_"}:
            ends = {tensor.device for tensor in (result, *args) if isinstance(tensor, Tensor)}
            self.copies += len(ends) > 1
        return result


def sources(folder: Path, device: torch.device) -> dict[str, FineTuneViews]:
    banks.write(banks.images(12, size=8), folder / "image")
    banks.write(banks.clips([9000] * 12), folder / "audio")
    return {
        modality: FineTuneViews(
            open_bank(folder / modality),
            VIEWS,
            statistics={"mean": -3.0, "std": 2.0},
            device=device,
        )
        for modality in ("image", "audio")
    }


BATCH = np.arange(4)
KINDS: dict[str, Callable[[FineTuneViews], Tensor]] = {
    "augmented": lambda views: views.augmented(BATCH, stream(0, "views")),
    "plain": lambda views: views.plain(BATCH),
    "fine-tune": lambda views: views.fine_tune(BATCH, stream(0, "views"), augmentation=LIGHT),
}


@pytest.mark.parametrize(
    ("modality", "kind", "operations", "copies"),
    [
        ("image", "augmented", 140, 2),
        ("image", "plain", 55, 1),
        ("image", "fine-tune", 60, 2),
        ("audio", "augmented", 80, 2),
        ("audio", "plain", 70, 1),
        ("audio", "fine-tune", 70, 1),
    ],
)
def test_a_view_launches_few_operations_and_copies_samples_and_numbers_once(
    modality: str, kind: str, operations: int, copies: int, tmp_path: Path
) -> None:
    # The device `meta` computes nothing, but takes the same operations and copies as a GPU.
    views = sources(tmp_path, torch.device("meta"))[modality]
    KINDS[kind](views)
    with Counts() as counts:
        view = KINDS[kind](views)
    assert view.shape == (4, 3, 32, 32)
    assert counts.copies == copies
    assert sum(counts.operations.values()) <= operations, counts.operations
    assert not counts.operations.keys() & {"linalg_inv_ex", "_local_scalar_dense", "item"}
    # torch.from_numpy makes one too: those of the samples and the numbers.
    assert sum(counts.operations[name] for name in CONSTANTS) <= copies + 1, counts.operations


def test_a_constant_made_in_evaluation_serves_a_training(tmp_path: Path) -> None:
    # A scale of its own, so that no other test has made the constant.
    own = replace(VIEWS, image=replace(VIEWS.image, mean=(0.51, 0.52, 0.53)))
    bank = sources(tmp_path, torch.device("cpu"))["image"].bank
    with torch.inference_mode():
        FineTuneViews(bank, own, statistics=None, device=torch.device("cpu")).plain(BATCH)
    assert not constant(own.image.mean, torch.device("cpu")).is_inference()
