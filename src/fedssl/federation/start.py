"""The start of a pretraining: its method with a new encoder, and views of its banks."""

from collections.abc import Mapping
from pathlib import Path

import torch

from fedssl import methods
from fedssl.backbones.encoder import initialise
from fedssl.data.banks.bank import open_bank
from fedssl.federation.settings import PretrainingSettings
from fedssl.files import read_json
from fedssl.grid.splits import MODALITIES
from fedssl.methods.base import Method
from fedssl.views.bank_views import Views


def initial_method(settings: PretrainingSettings) -> Method:
    """Return the method of a cell, with an encoder initialised from the cell's seed."""
    named = dict(settings.method)
    name = named.pop("name")
    encoder = initialise(settings.seed, **settings.encoder)
    return methods.build(name, encoder, **named)


def training_views(
    settings: PretrainingSettings, inputs: Mapping[str, str], *, device: torch.device
) -> dict[str, Views]:
    """Return the views of each modality in use.

    `inputs` are their files `image_bank` and `audio_bank`, and `normalisation` for audio.
    """
    statistics = read_json(inputs["normalisation"]) if "normalisation" in inputs else None
    return {
        modality: Views(
            open_bank(Path(inputs[f"{modality}_bank"]).parent, device=device),
            settings,
            statistics=statistics,
            device=device,
        )
        for modality in MODALITIES
        if f"{modality}_bank" in inputs
    }
