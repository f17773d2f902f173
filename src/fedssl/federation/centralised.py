"""Centralised pretraining of the same modules with a Trainer: the reference column of fassl."""

import contextlib
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import pytorch_lightning as pl
import torch

from fedssl.device import prepare_device
from fedssl.federation.centralised_training import CentralisedTraining
from fedssl.federation.checkpoint import (
    checkpoint_folder,
    load_checkpoint,
    save_checkpoint,
    save_state,
)
from fedssl.federation.divergence import backbone_change
from fedssl.federation.history import mean_loss, seconds_until, write_rows
from fedssl.federation.settings import CentralisedSettings
from fedssl.federation.start import initial_method, training_views
from fedssl.federation.tracking import Track, tracking
from fedssl.progress import RoundProgress
from fedssl.typed import typed

# Lightning prints the hardware that it finds, and tips, among the lines of the run.
logging.getLogger(pl.__name__).setLevel(logging.WARNING)


def pretrain(
    settings: Mapping[str, Any],
    *,
    inputs: Mapping[str, str],
    checkpoints: str,
    model: str,
    rounds: str,
) -> dict[str, Any]:
    """Train all epochs and write the model and its history; continue an interrupted training.

    `inputs` are the files `image_bank` and `audio_bank` of the modalities in use, and
    `normalisation` for audio. Returns the facts for the provenance record. The folder
    `checkpoints` stays: the caller removes it once the job is recorded. Raises UserError if a
    loss is not finite.
    """
    own = typed(CentralisedSettings, settings)
    device = prepare_device(own.threads, precision=own.precision, portable=own.portable)
    folder = checkpoint_folder(checkpoints, inputs)
    training = set_up(own, inputs, device=device)
    start = {name: tensor.clone() for name, tensor in training.method.global_state().items()}
    if (resumed := load_checkpoint(folder)) is not None:
        training.resume(resumed.round, resumed.parts, resumed.rows)
    done, total = training.done, own.aggregator.epochs
    cell = str(Path(rounds).parent)
    with (
        RoundProgress(total, done=done) as progress,
        tracking(cell, done=done) as track,
        contextlib.closing(training),
    ):
        commit = _Commit(folder, progress, track)
        _trainer(commit, epochs=total - done, device=device).fit(training)
    end = training.method.global_state()
    facts = {"backbone_change": backbone_change(start, end)}
    save_state(end, model, training=facts)
    write_rows(training.rows, rounds)
    return {
        "bytes_down": 0,
        "bytes_up": 0,
        **facts,
        "resumed_after_round": done,
        "earlier_seconds": seconds_until(training.rows, done),
    }


def set_up(
    settings: CentralisedSettings, inputs: Mapping[str, str], *, device: torch.device
) -> CentralisedTraining:
    """Return the training before its first epoch."""
    views = training_views(settings, inputs, device=device)
    method = initial_method(settings)
    method.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return CentralisedTraining(method, views, settings)


def _trainer(callback: pl.Callback, *, epochs: int, device: torch.device) -> pl.Trainer:
    """Return a Trainer that writes nothing of its own."""
    return pl.Trainer(
        callbacks=[callback],
        accelerator="gpu" if device.type == "cuda" else "cpu",
        devices=1,
        max_epochs=epochs,
        reload_dataloaders_every_n_epochs=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )


class _Commit(pl.Callback):
    """Saves a checkpoint after each epoch."""

    def __init__(self, folder: Path, progress: RoundProgress, track: Track) -> None:
        self._folder = folder
        self._progress = progress
        self._track = track

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        training = cast(CentralisedTraining, pl_module)
        # Before the checkpoint, so that the newest one kept is of a good epoch.
        training.check(self._folder)
        rows = training.epoch_rows()
        training.rows += rows
        save_checkpoint(self._folder, training.epoch, training.parts(), training.rows)
        self._progress.advance(training.epoch, mean_loss(rows))
        self._track(training.epoch, rows)
