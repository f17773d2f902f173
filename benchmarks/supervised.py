"""Compare our supervised loop with a Lightning Trainer: `python benchmarks/supervised.py`.

Linear probe and fine-tuning, with the same batches, model and optimiser, on one thread. Then the
imports of an evaluation job, without and with Lightning, each in a process of its own.
"""

import logging
import os
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

import numpy as np
import pytorch_lightning as pl
import torch
import yaml
from timing import interleaved, report
from torch import Tensor, nn

from fedssl.backbones.encoder import initialise
from fedssl.data.banks.bank import open_bank
from fedssl.data.banks.build import build_bank
from fedssl.data.made_up.archives import write_archives
from fedssl.evaluation import fine_tune, probe, supervised
from fedssl.evaluation.settings import Evaluation, FineTune, LinearProbe
from fedssl.typed import typed
from fedssl.views.fine_tune import FineTuneViews
from fedssl.views.settings import ViewSettings

ROOT = Path(__file__).parents[1]
SAMPLES, DIM, CLASSES, PICTURES, SIZE = 5000, 512, 50, 512, 64
Train = Callable[..., None]


class ByTrainer(pl.LightningModule):
    """The loss of a batch of positions, as a Trainer wants it."""

    def __init__(
        self,
        model: nn.Module,
        loss_of: Callable[[np.ndarray], Tensor],
        *,
        count: int,
        settings: Mapping[str, Any],
        rng: np.random.Generator,
    ) -> None:
        """Keep what to train, and on what."""
        super().__init__()
        self.model, self.loss_of, self.count = model, loss_of, count
        self.own, self.rng = settings, rng

    def train_dataloader(self) -> "Batches":
        """Return the positions of an epoch's batches."""
        return Batches(self.count, self.own.batch_size, self.rng)

    def training_step(self, batch: np.ndarray, _index: int) -> Tensor:
        """Return the loss of a batch."""
        return self.loss_of(batch)

    def configure_optimizers(self) -> Any:
        """Return the optimiser of the loop, with its schedule."""
        optimiser = torch.optim.SGD(
            self.model.parameters(),
            self.own.lr,
            momentum=self.own.momentum,
            weight_decay=self.own.weight_decay,
            nesterov=True,
            fused=True,
        )
        factor = self.own.lr
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimiser, lambda epoch: supervised.learning_rate(self.own, epoch=epoch) / factor
        )
        return [optimiser], [schedule]


class Batches:
    """Shuffled anew whenever they are iterated; a Trainer would take a list for many loaders."""

    def __init__(self, count: int, batch_size: int, rng: np.random.Generator) -> None:
        """Keep how many positions to shuffle."""
        self._count, self._size, self._rng = count, batch_size, rng

    def __iter__(self) -> Any:
        """Yield an epoch's batches."""
        return supervised.shuffled_batches(self._count, batch_size=self._size, rng=self._rng)


def by_trainer(
    model: nn.Module,
    loss_of: Callable[[Any], Tensor],
    *,
    draw: Callable[[np.ndarray], Any] = np.asarray,
    depth: int = 0,
    **given: Any,
) -> None:
    """Train as `supervised.train` does, by a Trainer."""
    trainer = pl.Trainer(
        max_epochs=given["settings"].epochs,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    assert depth == 0, "a Trainer draws each batch when it is due"
    trainer.fit(ByTrainer(model, lambda batch: loss_of(draw(batch)), **given))


def probing(settings: LinearProbe, train: Train) -> Callable[[], object]:
    """Return a linear probe on made-up features."""
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(SAMPLES, DIM, generator=generator)
    labels = torch.randint(CLASSES, (SAMPLES,), generator=generator)

    def run() -> Tensor:
        probe.train = train  # type: ignore[attr-defined]
        fitted = probe.fit_probe(features, labels, num_classes=CLASSES, settings=settings, seed=0)
        return fitted.weight

    return run


def tuning(settings: FineTune, views: FineTuneViews, train: Train) -> Callable[[], object]:
    """Return a fine-tuning of a narrow ResNet-18 on made-up pictures."""
    encoder = initialise(0, arch="resnet18", width=16, embedding_dim=128)
    place = {"precision": "fp32", "seed": 0, "device": torch.device("cpu")}

    def run() -> Tensor:
        fine_tune.train = train  # type: ignore[attr-defined]
        indices = views.bank.indices("train")
        tuned = fine_tune.fine_tune(encoder, views, indices=indices, settings=settings, **place)
        return next(tuned.parameters())

    return run


def pictures(folder: Path, settings: dict[str, Any]) -> FineTuneViews:
    """Return views of a bank of made-up pictures."""
    splits = {"train": PICTURES, "test": 10}
    archives = {"batches": folder / "batches"}
    write_archives("cifar10", archives, classes=10, splits=splits, seed=0)
    entry = {"classes": 10, "splits": splits, "max_bad_share": 0.0}
    build_bank("cifar10", archives, folder / "bank", entry=entry)
    settings["image"] |= {"size": SIZE}
    bank = open_bank(folder / "bank")
    return FineTuneViews(
        bank, typed(ViewSettings, settings), statistics=None, device=torch.device("cpu")
    )


def imports(*modules: str) -> Callable[[], object]:
    """Return a process that imports modules and ends."""
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    program = [sys.executable, "-c", f"import {', '.join(modules)}"]
    return lambda: subprocess.run(program, env=environment, check=True)


def compare(title: str, make: Callable[[Train], Callable[[], object]], *, items: int) -> None:
    """Print both ways' rates, after a check that they train the same weights."""
    ways = {"our loop": make(supervised.train), "a Trainer": make(by_trainer)}
    first, second = (way() for way in ways.values())
    torch.testing.assert_close(first, second, rtol=1e-3, atol=1e-4)
    report(title, interleaved(ways), items=items, unit="samples/s")


def main() -> None:
    """Print what each way takes, and its ratio to our loop."""
    warnings.simplefilter("ignore")
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    torch.set_num_threads(1)
    config = yaml.safe_load((ROOT / "config/experiments.yaml").read_text())
    own = typed(Evaluation, config["evaluation"])
    probe_settings, tune_settings = own.linear_probe, replace(own.fine_tune, epochs=5)
    print(f"one thread, load {os.getloadavg()[0]:.1f}")
    items = SAMPLES * probe_settings.epochs
    title = f"linear probe, {SAMPLES} features of {DIM}, {probe_settings.epochs} epochs"
    compare(title, lambda train: probing(probe_settings, train), items=items)
    with tempfile.TemporaryDirectory() as name:
        views = pictures(Path(name), config["settings"])
        title = f"fine-tuning, {PICTURES} pictures, {SIZE} px, ResNet-18 width 16, 5 epochs"
        compare(title, lambda train: tuning(tune_settings, views, train), items=5 * PICTURES)
    job = "fedssl.evaluation.evaluate"
    ways = {"without Lightning": imports(job), "with Lightning": imports(job, "pytorch_lightning")}
    seconds = interleaved(ways)
    report("imports of an evaluation job", seconds, items=60, unit="a minute")


if __name__ == "__main__":
    main()
