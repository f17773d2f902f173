"""What a federated round costs beside its limit: `python benchmarks/round.py`.

The same clients, samples and steps, on one thread: training alone on views made beforehand (the
limit), our round (views, training, aggregation, history), the same with two clients side by side
in processes of one thread each, and a round in which each client gets a new Lightning Trainer with
its own loader over torchvision transforms, as frameworks that simulate clients as processes of
their own do.
"""

import logging
import os
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

import numpy as np
import pytorch_lightning as pl
import torch
import yaml
from PIL import Image
from timing import interleaved, report
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms import v2

from fedssl import methods
from fedssl.aggregators import ClientUpdate, get_aggregator
from fedssl.backbones.encoder import initialise
from fedssl.data.banks.bank import Bank, open_bank
from fedssl.data.banks.build import build_bank
from fedssl.data.made_up.archives import write_archives
from fedssl.data.sharding import write_shards
from fedssl.federation import rounds
from fedssl.federation.batches import epoch_batches
from fedssl.federation.server import Server
from fedssl.federation.settings import FederatedSettings
from fedssl.randomness import stream
from fedssl.typed import typed

ROOT = Path(__file__).parents[1]
CLIENTS, SAMPLES, SIZE = 4, 128, 64


class TwoViews(Dataset[torch.Tensor]):
    """Pairs of views, made sample by sample."""

    def __init__(self, bank: Bank, indices: np.ndarray) -> None:
        """Keep the pictures of one client."""
        assert bank.images is not None
        self._images = [Image.fromarray(bank.images[i]) for i in indices]
        self._view = v2.Compose(
            [
                v2.RandomResizedCrop(SIZE, (0.2, 1.0), antialias=True),
                v2.RandomApply([v2.ColorJitter(0.4, 0.4, 0.4, 0.1)], 0.8),
                v2.RandomGrayscale(0.2),
                v2.RandomApply([v2.GaussianBlur(7, (0.1, 2.0))], 0.5),
                v2.RandomHorizontalFlip(),
                v2.ToImage(),
                v2.ToDtype(torch.float32, scale=True),
            ]
        )

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self._images)

    def __getitem__(self, index: int) -> torch.Tensor:
        """Return two views of a sample."""
        return torch.stack([self._view(self._images[index]) for _ in range(2)])


class Client(pl.LightningModule):
    """A client's own module, as Lightning wants it."""

    def __init__(self, method: torch.nn.Module) -> None:
        """Wrap the method."""
        super().__init__()
        self.method = method

    def training_step(self, batch: torch.Tensor, _index: int) -> torch.Tensor:
        """Return the loss of a batch of pairs."""
        loss: torch.Tensor = self.method.training_step(batch.transpose(0, 1))
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return the optimiser of every round."""
        return torch.optim.SGD(self.parameters(), 0.03, momentum=0.9, weight_decay=1e-4)


def prepare(folder: Path) -> tuple[rounds.Federation, Server, dict[str, str]]:
    """Return a federation on made-up pictures, its server, and the files it is made of."""
    splits = {"train": CLIENTS * SAMPLES, "test": 10}
    archives = {"batches": folder / "batches"}
    write_archives("cifar10", archives, classes=10, splits=splits, seed=0)
    entry = {"classes": 10, "splits": splits, "max_bad_share": 0.0}
    build_bank("cifar10", archives, folder / "bank", entry=entry)
    bank = open_bank(folder / "bank")
    sharding = {"alpha": 1e6, "clients": CLIENTS, "min_samples": 2}
    write_shards(bank, folder / "shards.json", sharding=sharding, seed=0)
    settings = yaml.safe_load((ROOT / "config/experiments.yaml").read_text())["settings"]
    settings |= {
        "aggregator": {"name": "fedavg"},
        "encoder": {"arch": "resnet18", "width": 16, "embedding_dim": 128},
        "method": {"name": "simclr", "temperature": 0.5},
        "portable": False,
        "precision": "fp32",
        "seed": 0,
        "split": "a0-i100-b0",
        "threads": 1,
    }
    settings["image"] |= {"size": SIZE}
    settings["federation"] |= {"clients": CLIENTS, "fraction": 1.0, "local_epochs": 1}
    settings["federation"] |= {"batch_size": 64}
    inputs = {
        "image_bank": str(folder / "bank" / "bank.json"),
        "image_shards": str(folder / "shards.json"),
    }
    federation, server = rounds.set_up(
        typed(FederatedSettings, settings), inputs, device=torch.device("cpu")
    )
    return federation, server, inputs


def limit(federation: rounds.Federation) -> Callable[[], None]:
    """Return training alone: the same steps on views that are there already."""
    settings = federation.settings
    encoder = initialise(0, **settings["encoder"])
    method = methods.build("simclr", encoder, temperature=0.5)
    method = method.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    views = torch.randn(2, 64, 3, SIZE, SIZE)
    steps = sum(
        len(indices)
        for held in federation.holdings
        for _, indices in epoch_batches(
            held, batch_size=64, order="alternate", rng=stream(0, "benchmark")
        )
    )
    optimiser = torch.optim.SGD(method.parameters(), 0.03, momentum=0.9, fused=True)

    def run() -> None:
        for _ in range(round(steps / 64)):
            optimiser.zero_grad(set_to_none=True)
            method.training_step(views).backward()
            optimiser.step()

    return run


def trainers(
    federation: rounds.Federation, state: dict[str, torch.Tensor], bank: Bank, folder: Path
) -> Callable[[], None]:
    """Return a round in which every client has a Trainer and a loader of its own."""

    def run() -> None:
        updates = []
        for held in federation.holdings:
            encoder = initialise(0, **federation.settings["encoder"])
            method = methods.build("simclr", encoder, temperature=0.5)
            method.load_state_dict(state)
            trainer = pl.Trainer(
                max_epochs=1,
                accelerator="cpu",
                logger=False,
                enable_checkpointing=False,
                enable_progress_bar=False,
                enable_model_summary=False,
                default_root_dir=folder,
            )
            data = TwoViews(bank, held["image"])
            trainer.fit(Client(method), DataLoader(data, 64, shuffle=True, drop_last=False))
            updates.append(ClientUpdate(dict(method.state_dict()), len(data), 1.0))
        get_aggregator("fedavg")(state, updates)

    return run


def main() -> None:
    """Print what each way takes, and its ratio to training alone."""
    warnings.simplefilter("ignore")
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    torch.set_num_threads(1)
    cpu = torch.device("cpu")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        federation, server, inputs = prepare(folder)
        bank = open_bank(folder / "bank")
        with rounds.side_by_side(federation, 2, inputs, device=cpu) as pair:
            seconds = interleaved(
                {
                    "training alone (limit)": limit(federation),
                    "our round": lambda: rounds.run_round(federation, server, 1),
                    "our round, two at once": lambda: rounds.run_round(pair, server, 1),
                    "a Trainer and a loader a client": trainers(
                        federation, server.model, bank, folder
                    ),
                }
            )
    print(f"one thread a process, load {os.getloadavg()[0]:.1f}")
    title = f"one round, {CLIENTS} clients of {SAMPLES} pictures, {SIZE} px, ResNet-18 width 16"
    report(title, seconds, items=2 * CLIENTS * SAMPLES, unit="views/s")


if __name__ == "__main__":
    main()
