"""Views on a GPU are those of a CPU, whether their samples were read ahead or when due."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from fedssl.ahead import ahead
from fedssl.data.banks.bank import open_bank
from fedssl.files import read_json
from fedssl.randomness import stream
from fedssl.typed import typed
from fedssl.views.fine_tune import FineTuneViews
from fedssl.views.settings import FineTuneAugmentation, ViewSettings
from tests.unit.federations import SETTINGS

BATCH = np.arange(8)
LIGHT = FineTuneAugmentation(crop=0.8, flip_probability=0.5)
KINDS: dict[str, Callable[[FineTuneViews], Tensor]] = {
    "augmented": lambda views: views.augmented(BATCH, stream(0, "views")),
    "plain": lambda views: views.plain(BATCH),
    "fine-tune": lambda views: views.fine_tune(BATCH, stream(0, "views"), augmentation=LIGHT),
}


def views(inputs: dict[str, str], modality: str, device: torch.device) -> FineTuneViews:
    return FineTuneViews(
        open_bank(Path(inputs[f"{modality}_bank"]).parent),
        typed(ViewSettings, SETTINGS),
        statistics=read_json(inputs["normalisation"]),
        device=device,
    )


def assert_close(found: Tensor, expected: Tensor) -> None:
    """Compare views: pixels have a standard deviation near 1."""
    difference = (found.cpu() - expected).abs()
    # The logarithm of a log-mel image magnifies the rounding of magnitudes near 0.
    assert difference.mean() < 1e-4 and difference.quantile(0.999) < 5e-3


@pytest.mark.parametrize("modality", ["image", "audio"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_gpu_makes_the_views_of_a_cpu(
    kind: str, modality: str, inputs: dict[str, str], gpu: torch.device
) -> None:
    found = KINDS[kind](views(inputs, modality, gpu))
    assert found.device.type == gpu.type
    assert_close(found, KINDS[kind](views(inputs, modality, torch.device("cpu"))))


def test_a_gpu_makes_the_windows_of_a_cpu(inputs: dict[str, str], gpu: torch.device) -> None:
    windows = np.array([[0, 3000], [500, 3500], [100, 4100], [0, 900]])
    found, expected = (
        views(inputs, "audio", device).augmented_windows(windows, stream(0, "views"))
        for device in (gpu, torch.device("cpu"))
    )
    assert_close(found, expected)


@pytest.mark.parametrize("modality", ["image", "audio"])
def test_samples_read_ahead_give_the_same_views(
    modality: str, inputs: dict[str, str], gpu: torch.device
) -> None:
    source, places = views(inputs, modality, gpu), [BATCH + start for start in range(0, 48, 4)]
    draws = stream(0, "views")
    due = [source.augmented(place, draws) for place in places]
    again = stream(0, "views")
    with ahead((source.draw(place, again) for place in places), depth=4) as drawn:
        # Not kept: their memory is free for later batches while the GPU still copies.
        read = [source.render(next(drawn)) for _ in places]
    assert all(torch.equal(one, other) for one, other in zip(read, due, strict=True))


@pytest.mark.parametrize("modality", ["image", "audio"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_view_does_not_wait_for_the_gpu(
    modality: str, kind: str, inputs: dict[str, str], gpu: torch.device
) -> None:
    source = views(inputs, modality, gpu)
    KINDS[kind](source)  # makes the constants
    torch.cuda.set_sync_debug_mode("error")
    try:
        KINDS[kind](source)
    finally:
        torch.cuda.set_sync_debug_mode("default")
