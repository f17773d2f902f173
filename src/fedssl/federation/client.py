"""Train one client locally (fssuavl equation 2), on a model that stays in memory."""

import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain
from typing import Any, NamedTuple

import torch
from torch import Tensor

from fedssl.aggregators import ClientUpdate, build
from fedssl.aggregators.base import Aggregator, Visit
from fedssl.ahead import ahead, steps_ahead
from fedssl.federation.batches import epoch_batches
from fedssl.federation.divergence import first_fault
from fedssl.federation.history import Row, mean_step
from fedssl.federation.memory import build_memory
from fedssl.federation.schedule import Reach, learning_rate
from fedssl.federation.settings import FederatedSettings
from fedssl.federation.start import initial_method, training_views
from fedssl.federation.trainer import ClientTask, Trained
from fedssl.federation.uploads import update_norm
from fedssl.methods.base import Method
from fedssl.randomness import stream
from fedssl.views.bank_views import Views


class _Step(NamedTuple):
    modality: str
    views: Callable[[], Any]  # returns the batch of the method's step
    lr: float
    progress: float  # share of the whole training after this step


class LocalTrainer:
    """Trains clients one after another on one model, which is reset for each client."""

    def __init__(
        self,
        method: Method,
        views: Mapping[str, Views],
        settings: FederatedSettings,
        *,
        device: torch.device,
    ) -> None:
        """Move the method to the device; `views` has one entry per modality in use."""
        method.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._method = method.train()
        self._parameters = dict(self._method.named_parameters())
        self._aggregator = build(**settings.aggregator)
        self._views = views
        self._settings = settings
        self._device = device
        self._state = method.state_dict()
        # Tensors that are sent need no copy, because every task brings them.
        sent = build_memory(settings, sent=method.sent, kept=method.kept).travels
        self._round_0 = {name: t.clone() for name, t in self._state.items() if not sent(name)}

    @property
    def method(self) -> Method:
        """The model that trains; before the first task it is the model of round 0."""
        return self._method

    def train_each(self, tasks: Iterable[ClientTask]) -> Iterator[Trained]:
        """Yield the result of each task, in order; use it before taking the next one."""
        tasks = list(tasks)
        # Over the tasks, so that the first step of a client need not wait for its samples.
        drawn = chain.from_iterable(map(self._steps, tasks))
        with ahead(drawn, depth=steps_ahead(self._device)) as steps:
            for task in tasks:
                # The steps of a task end with None: a client may have none at all.
                yield self._train(task, iter(partial(next, steps), None))

    def train(self, task: ClientTask) -> Trained:
        """Train one client; use the result before the next call."""
        (trained,) = self.train_each([task])
        return trained

    def _train(self, task: ClientTask, steps: Iterator[_Step]) -> Trained:
        self._load(task)
        rule = self._aggregator.in_round(task.round)
        optimiser, reach = self._optimiser(), Reach(self._settings.optimiser.momentum)
        losses: list[tuple[str, Tensor]] = []
        learned: list[tuple[str, Tensor]] = []
        seconds = dict.fromkeys(task.samples, 0.0)
        started = time.perf_counter()
        for step in steps:
            loss = self._step(step, rule, task.visit, optimiser=optimiser)
            losses.append((step.modality, loss.detach()))
            if loss.requires_grad:
                learned.append(losses[-1])
            # With the time of waiting for the step's samples.
            now = time.perf_counter()
            seconds[step.modality] += now - started
            started = now
            reach.advance(step.lr)
        # Before the rest, because this waits until a GPU has computed the steps that it was given.
        mean = mean_step([loss for _, loss in losses])
        seconds = _stretched(seconds, time.perf_counter() - started)
        self._method.finish_round()
        report, notes = rule.finish(task.visit, self._state, reach=reach.value)
        average = math.nan if mean is None else mean
        update = ClientUpdate(self._state, task.num_samples, average, report)
        fault = first_fault(losses) if mean is None else None
        shared = {
            "learning_rate": learning_rate(self._settings, round_number=task.round, epoch=0),
            # Here, because a server does not know what a client kept and started from.
            "update_norm": update_norm(update, task.visit.received),
        }
        return Trained(update, notes, _rows(task, learned, seconds, shared=shared), fault)

    @torch.no_grad()
    def _load(self, task: ClientTask) -> None:
        """Load the received tensors, those that the client kept, and for the rest round 0."""
        model = {**self._round_0, **task.local, **task.visit.received}
        # In place, because optimiser, parameters and this dict share their tensors.
        torch._foreach_copy_(list(self._state.values()), [model[name] for name in self._state])
        self._method.start_round()

    def _steps(self, task: ClientTask) -> Iterator[_Step | None]:
        """Yield every step of the local epochs with its samples and numbers, and None at the end.

        A thread runs this ahead of the training, so it must not use what training changes.
        """
        federation = self._settings.federation
        visit = {"round": task.round, "client": task.client}
        shuffle = stream(self._settings.seed, "batches", **visit)
        draws = stream(self._settings.seed, "views", **visit)
        for epoch in range(federation.local_epochs):
            lr = learning_rate(self._settings, round_number=task.round, epoch=epoch)
            # A list, because the progress of a step depends on the number of batches.
            batches = list(
                epoch_batches(
                    task.samples,
                    batch_size=federation.batch_size,
                    order=federation.batch_order,
                    rng=shuffle,
                )
            )
            for place, (modality, indices) in enumerate(batches, 1):
                views = self._method.drawn_views(self._views[modality], indices, draws)
                epochs = epoch + place / len(batches)
                rounds = task.round - 1 + epochs / federation.local_epochs
                yield _Step(modality, views, lr, rounds / federation.rounds)
        yield None

    def _step(
        self, step: _Step, rule: Aggregator, visit: Visit, *, optimiser: torch.optim.SGD
    ) -> Tensor:
        for group in optimiser.param_groups:
            group["lr"] = step.lr
        batch = step.views()
        low = self._settings.precision == "bf16"
        with torch.autocast(self._device.type, dtype=torch.bfloat16, enabled=low):
            loss: Tensor = self._method.training_step(batch)
        if not loss.requires_grad:
            return loss
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        # Before the step, so that the momentum includes the correction.
        rule.correct(self._parameters, visit)
        optimiser.step()
        self._method.after_step(step.progress)
        return loss

    def _optimiser(self) -> torch.optim.SGD:
        """Return a new optimiser: clients keep no momentum between rounds."""
        optimiser = self._settings.optimiser
        return torch.optim.SGD(
            self._method.parameters(),
            lr=optimiser.lr,
            momentum=optimiser.momentum,
            weight_decay=optimiser.weight_decay,
            fused=True,
        )


def _stretched(seconds: Mapping[str, float], further: float) -> dict[str, float]:
    """Return the seconds of each modality with its share of some further seconds."""
    total = sum(seconds.values())
    return {m: own * (1 + further / total) if total else own for m, own in seconds.items()}


# A batch whose loss has no gradient, as in Orchestra's first round, is no step.
def _rows(
    task: ClientTask,
    losses: Sequence[tuple[str, Tensor]],
    seconds: Mapping[str, float],
    *,
    shared: Row,
) -> list[Row]:
    by_modality = {m: [loss for at, loss in losses if at == m] for m in task.samples}
    return [
        {
            "round": task.round,
            "client": task.client,
            "modality": modality,
            "samples": len(indices),
            "steps": len(by_modality[modality]),
            "loss": mean_step(by_modality[modality]),
            "seconds": round(seconds[modality], 3),
            **shared,
        }
        for modality, indices in task.samples.items()
    ]


def local_trainer(
    settings: FederatedSettings, inputs: Mapping[str, str], *, device: torch.device
) -> LocalTrainer:
    """Return the trainer of a cell's clients, with the model of round 0."""
    views = training_views(settings, inputs, device=device)
    return LocalTrainer(initial_method(settings), views, settings, device=device)
