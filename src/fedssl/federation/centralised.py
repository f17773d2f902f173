"""Centralised pretraining of the same modules with a Trainer: the reference column of fassl.

One participant holds all training data and trains for some epochs, with the batches, views and
objective of a client. In its history, the round is the epoch and the client is 0.
"""

import contextlib
import logging
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytorch_lightning as pl
import torch
from torch import Tensor

from fedssl.device import prepare_device
from fedssl.federation.batches import Batch, epoch_batches
from fedssl.federation.checkpoint import load_checkpoint, save_checkpoint, save_state
from fedssl.federation.divergence import Diverged, backbone_change, first_fault, suspects
from fedssl.federation.epoch import DrawnBatch, Epoch
from fedssl.federation.history import Row, mean_loss, mean_step, seconds_until, write_rows
from fedssl.federation.schedule import cosine
from fedssl.federation.settings import CentralisedSettings
from fedssl.federation.start import initial_method, training_views
from fedssl.federation.tracking import Track, tracking
from fedssl.files import digest, sha256
from fedssl.methods.base import Method
from fedssl.progress import RoundProgress
from fedssl.randomness import stream
from fedssl.typed import typed
from fedssl.views.bank_views import Views

# Lightning prints the hardware that it finds, and tips, among the lines of the run.
logging.getLogger(pl.__name__).setLevel(logging.WARNING)

State = dict[str, Tensor]


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
    folder = Path(checkpoints) / digest({name: sha256(path) for name, path in inputs.items()})[:16]
    training = set_up(own, inputs, device=device)
    start = {name: tensor.clone() for name, tensor in training.method.global_state().items()}
    if (resumed := load_checkpoint(folder)) is not None:
        training.resume(resumed.round, resumed.parts, resumed.rows)
    done, total = training.done, own.aggregator.epochs
    cell = str(Path(rounds).parent)
    with RoundProgress(total, done=done) as progress, tracking(cell, done=done) as track:
        trainer = pl.Trainer(
            callbacks=[_Commit(folder, progress, track)],
            accelerator="gpu" if device.type == "cuda" else "cpu",
            devices=1,
            max_epochs=total - done,
            reload_dataloaders_every_n_epochs=1,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        with contextlib.closing(training):
            trainer.fit(training)
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
) -> "CentralisedTraining":
    """Return the training before its first epoch."""
    views = training_views(settings, inputs, device=device)
    method = initial_method(settings)
    method.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return CentralisedTraining(method, views, settings)


class CentralisedTraining(pl.LightningModule):
    """A LightningModule around any method, with batches, optimiser, schedule and a history.

    Attributes:
        method: the module that is trained, with the state dict keys of a federated one.
        done: epochs before this run.
        rows: the history, one row per epoch and modality.
    """

    def __init__(
        self, method: Method, views: Mapping[str, Views], settings: CentralisedSettings
    ) -> None:
        """Start before the first epoch; `views` has one entry per modality in use."""
        super().__init__()
        self.method = method
        self.done = 0
        self.rows: list[Row] = []
        self._views = views
        self._settings = settings
        self._momentum: State = {}
        self._losses: list[tuple[str, Tensor]] = []
        self._seconds: dict[str, float] = {}
        self._started = 0.0
        self._epoch: Epoch | None = None

    def resume(self, epoch: int, parts: Mapping[str, State], rows: list[Row]) -> None:
        """Continue after an epoch, from the parts that `parts` returned then."""
        self.method.load_state_dict(parts["model"])
        self._momentum = parts.get("momentum", {})
        self.done, self.rows = epoch, rows

    def parts(self) -> dict[str, State]:
        """Return the state for the next epoch: the method and the optimiser's momentum."""
        buffers = self.optimizers().state  # type: ignore[union-attr]
        names = {parameter: name for name, parameter in self.method.named_parameters()}
        momentum = {names[p]: own["momentum_buffer"] for p, own in buffers.items()}
        return {"model": self.method.state_dict(), "momentum": momentum}

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return the clients' SGD, with the momentum of a resumed training."""
        own = self._settings.optimiser
        optimiser = torch.optim.SGD(
            self.method.parameters(),
            lr=own.lr,
            momentum=own.momentum,
            weight_decay=own.weight_decay,
            fused=True,
        )
        for name, parameter in self.method.named_parameters():
            if name in self._momentum:
                # In the parameter's memory format, which the fused step requires.
                buffer = torch.empty_like(parameter).copy_(self._momentum[name])
                optimiser.state[parameter]["momentum_buffer"] = buffer
        return optimiser

    def train_dataloader(self) -> Epoch:
        """Return the batches of an epoch, as modality and a function that returns the views."""
        federation, seed = self._settings.federation, self._settings.seed
        batches = epoch_batches(
            {modality: views.bank.indices("train") for modality, views in self._views.items()},
            batch_size=federation.batch_size,
            order=federation.batch_order,
            rng=stream(seed, "centralised batches", round=self.epoch),
        )
        draws = stream(seed, "centralised views", round=self.epoch)
        self.close()
        self._epoch = Epoch(list(batches), partial(self._drawn, draws), device=self.device)
        return self._epoch

    def close(self) -> None:
        """End the thread that draws the batches of the epoch in progress."""
        if self._epoch is not None:
            self._epoch.close()

    def _drawn(self, draws: np.random.Generator, batch: Batch) -> DrawnBatch:
        modality, indices = batch
        return modality, self.method.drawn_views(self._views[modality], indices, draws)

    def on_train_epoch_start(self) -> None:
        """Set the epoch's learning rate."""
        own, total = self._settings.optimiser, self._settings.aggregator.epochs
        constant = own.schedule == "constant"
        for group in self.optimizers().param_groups:  # type: ignore[union-attr]
            group["lr"] = own.lr if constant else cosine(own.lr, (self.epoch - 1) / total)
        self._losses = []
        self._seconds = dict.fromkeys(self._views, 0.0)
        self._started = time.perf_counter()

    def training_step(self, batch: DrawnBatch, _batch_idx: int) -> Tensor:
        """Return the method's loss of a batch."""
        modality, rendered = batch
        views = rendered()
        low = self._settings.precision == "bf16"
        with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=low):
            loss: Tensor = self.method.training_step(views)
        self._losses.append((modality, loss.detach()))
        return loss

    def on_train_batch_end(self, outputs: Any, batch: DrawnBatch, batch_idx: int) -> None:
        """Let the method update its own state, and stop the clock."""
        # After the optimiser: Lightning calls this hook once the step is done.
        epochs = self.epoch - 1 + (batch_idx + 1) / self.trainer.num_training_batches
        self.method.after_step(epochs / self._settings.aggregator.epochs)
        # With the time of waiting for the samples.
        now = time.perf_counter()
        self._seconds[batch[0]] += now - self._started
        self._started = now

    def epoch_rows(self) -> list[Row]:
        """Return the history of the epoch in progress, one row per modality."""
        losses = {m: [loss for at, loss in self._losses if at == m] for m in self._views}
        return [
            {
                "round": self.epoch,
                "client": 0,
                "modality": modality,
                "samples": len(views.bank.indices("train")),
                "steps": len(losses[modality]),
                "loss": mean_step(losses[modality]),
                "learning_rate": self.optimizers().param_groups[0]["lr"],  # type: ignore[union-attr]
                "seconds": round(self._seconds[modality], 3),
            }
            for modality, views in self._views.items()
        ]

    def check(self, kept: Path) -> None:
        """Raise UserError if a loss of the epoch is not finite; checkpoints are in `kept`."""
        if fault := first_fault(self._losses):
            own = self._settings
            blame = suspects(own.optimiser, own.precision, self.method.settings)
            raise Diverged(f"epoch {self.epoch}: {fault}").explained(blame, kept)

    @property
    def epoch(self) -> int:
        """The epoch in progress, from 1."""
        return self.done + self.current_epoch + 1


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
