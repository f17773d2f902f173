"""One client's local training (fssuavl equation 2): the resident model, reset and trained."""

import math
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fedssl.aggregators import ClientUpdate
from fedssl.federation.batches import epoch_batches
from fedssl.federation.history import Row, mean_step
from fedssl.federation.start import initial_method, training_views
from fedssl.methods.base import Method
from fedssl.randomness import stream
from fedssl.views.bank_views import Views

State = dict[str, Tensor]
Trained = tuple[ClientUpdate, list[Row]]


@dataclass(frozen=True)
class ClientTask:
    """What one client does in one round: train `received`, its state at the start, on `samples`.

    `samples` are positions in the bank by modality.
    """

    round: int
    client: int
    samples: Mapping[str, np.ndarray]
    received: State


class LocalTrainer:
    """Trains clients one after another on the same model, which keeps nothing between them."""

    def __init__(
        self,
        method: Method,
        views: Mapping[str, Views],
        settings: Mapping[str, Any],
        *,
        device: torch.device,
    ) -> None:
        """Move the method to the device once; `views` has one entry a modality in use."""
        self._method = method.to(device, memory_format=torch.channels_last).train()
        self._views = views
        self._settings = settings
        self._device = device
        self._state = method.state_dict()

    @property
    def state(self) -> State:
        """The state of the resident model itself; of round 0 before anything was trained."""
        return self._state

    def train_each(self, tasks: Iterable[ClientTask]) -> Iterator[Trained]:
        """Yield what `train` returns of each task, in their order: use it before the next."""
        return map(self.train, tasks)

    def train(self, task: ClientTask) -> Trained:
        """Return the client's update and one row of history a modality.

        The update's state is the resident model itself: use it before the next call.
        """
        received = [task.received[name] for name in self._state]
        torch._foreach_copy_(list(self._state.values()), received)
        optimiser = self._optimiser()
        losses: dict[str, list[Tensor]] = {modality: [] for modality in task.samples}
        seconds = dict.fromkeys(task.samples, 0.0)
        for modality, indices, rng in self._batches(task, optimiser):
            started = time.perf_counter()
            losses[modality].append(self._step(modality, indices, rng, optimiser))
            seconds[modality] += time.perf_counter() - started
        means = {m: mean_step(steps) for m, steps in losses.items()}
        rows = [
            {
                "round": task.round,
                "client": task.client,
                "modality": modality,
                "samples": len(indices),
                "steps": len(losses[modality]),
                "loss": means[modality],
                "seconds": round(seconds[modality], 3),
            }
            for modality, indices in task.samples.items()
        ]
        num_samples = sum(len(indices) for indices in task.samples.values())
        loss = mean_step([loss for steps in losses.values() for loss in steps])
        update = ClientUpdate(self._state, num_samples, math.nan if loss is None else loss)
        return update, rows

    def _batches(
        self, task: ClientTask, optimiser: torch.optim.SGD
    ) -> Iterator[tuple[str, np.ndarray, np.random.Generator]]:
        """Yield every batch of the local epochs, with the learning rate set for its epoch."""
        federation = self._settings["federation"]
        place = {"round": task.round, "client": task.client}
        shuffle = stream(self._settings["seed"], "batches", **place)
        draws = stream(self._settings["seed"], "views", **place)
        for epoch in range(federation["local_epochs"]):
            for group in optimiser.param_groups:
                group["lr"] = learning_rate(self._settings, round_number=task.round, epoch=epoch)
            for modality, indices in epoch_batches(
                task.samples,
                batch_size=federation["batch_size"],
                order=federation["batch_order"],
                rng=shuffle,
            ):
                yield modality, indices, draws

    def _step(
        self,
        modality: str,
        indices: np.ndarray,
        rng: np.random.Generator,
        optimiser: torch.optim.SGD,
    ) -> Tensor:
        batch = self._method.views(self._views[modality], indices, rng)
        low = self._settings["precision"] == "bf16"
        with torch.autocast(self._device.type, dtype=torch.bfloat16, enabled=low):
            loss = self._method.training_step(batch)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        return loss.detach()

    def _optimiser(self) -> torch.optim.SGD:
        """Return a fresh optimiser: momentum starts from zero for every client and round."""
        optimiser = self._settings["optimiser"]
        return torch.optim.SGD(
            self._method.parameters(),
            lr=optimiser["lr"],
            momentum=optimiser["momentum"],
            weight_decay=optimiser["weight_decay"],
            fused=True,
        )


def local_trainer(
    settings: Mapping[str, Any], inputs: Mapping[str, str], *, device: torch.device
) -> LocalTrainer:
    """Return the trainer of a cell's clients, whose model is that of round 0."""
    views = training_views(settings, inputs, device=device)
    return LocalTrainer(initial_method(settings), views, settings, device=device)


def learning_rate(settings: Mapping[str, Any], *, round_number: int, epoch: int) -> float:
    """Return the learning rate of a local epoch (0-based) in a round (1-based).

    paper: both "unchanged throughout" and "decays according to a cosine schedule"; here, by
    default, a cosine inside the local training that starts at the same value in every round.
    """
    optimiser, federation = settings["optimiser"], settings["federation"]
    if optimiser["schedule"] == "constant":
        return float(optimiser["lr"])
    if optimiser["schedule"] == "cosine-global":
        return cosine(optimiser["lr"], (round_number - 1) / federation["rounds"])
    return cosine(optimiser["lr"], epoch / federation["local_epochs"])


def cosine(lr: float, progress: float) -> float:
    """Return the learning rate after a share of the training, from `lr` at 0 to 0 at 1."""
    return lr * 0.5 * (1.0 + math.cos(math.pi * progress))
