"""Seconds and bytes of jobs by arithmetic, from the settings of a cell and the sizes of its data.

The rates are those of the papers' encoders at 128 px. An encoder without an entry is taken to be
as slow as the slowest.
"""

import os
from collections.abc import Mapping
from typing import Any

from fedssl.grid.cell import Cell
from fedssl.grid.plan import Plan
from fedssl.grid.splits import parse_split

# Views a second that an A100 trains in fp32, from the operations of an encoder (3.6 GFLOP for a
# view and ResNet-18) and the share of the peak that convolutions reach.
_TRAINED = {"resnet18": 3280.0, "vit": 2000.0}
# How much faster an A100 trains in another precision, from published times of a ResNet-50.
_SPEED = {"fp32": 1.0, "tf32": 1.7, "bf16": 3.0}
# Samples a second that one core embeds, log-mel included; measured with AVX-512.
_EMBEDDED = {"resnet18": 49.0, "vit": 31.0}
# A forward pass is a third of a training step.
_FORWARD = 3.0
# Members of an archive that one thread decodes in a second.
_DECODED = 20.0
# MB on a GPU for a view in training at 128 px: the activations that the backward pass needs.
_ACTIVATIONS = {"resnet18": 8.0, "vit": 26.0}
# Parameters, each of 4 bytes in a model file.
_PARAMETERS = {"resnet18": 11.2e6, "vit": 14.5e6}
# Bytes of a sample, if its bank does not exist yet: an image of 128 px, ten seconds of sound.
_BYTES = {"image": 128 * 128 * 3, "audio": 10 * 16000 * 2}
_SAMPLES = 20_000  # of a split of unknown size
_VIEWS = 2  # of a sample in a step; ACOP passes all its clips
_PIXELS = 128 * 128


def pretraining_seconds(plan: Plan, cell: Cell) -> float:
    """Return the seconds of a cell's pretraining on one A100."""
    settings = plan.grid.settings(cell)
    samples = sum(
        share_held(cell, modality) * num_samples(plan, dataset, "train")
        for modality, dataset in plan.grid.datasets(cell).items()
    )
    trained = samples * epochs(settings) * _views(settings) * _scale(settings)
    return float(trained / _rate(_TRAINED, cell.arch) / _SPEED[settings["precision"]])


def share_held(cell: Cell, modality: str) -> float:
    """Return the share of a modality's training samples that the clients of a cell hold."""
    split = parse_split(cell.split)
    return ({"audio": split.audio, "image": split.image}[modality] + split.both) / 100


def epochs(settings: Mapping[str, Any]) -> float:
    """Return how often a cell trains on each of its samples."""
    federation = settings["federation"]
    if "rounds" not in federation:
        return float(settings["aggregator"]["epochs"])
    return float(federation["rounds"] * federation["fraction"] * federation["local_epochs"])


def trained_clients(settings: Mapping[str, Any]) -> int:
    """Return the number of clients that a cell trains in all rounds; 0 if it is centralised."""
    federation = settings["federation"]
    if "rounds" not in federation:
        return 0
    return int(federation["rounds"] * clients_per_round(settings))


def clients_per_round(settings: Mapping[str, Any]) -> int:
    """Return the number of clients that a federated cell trains in a round."""
    federation = settings["federation"]
    wanted: int = round(federation["clients"] * federation["fraction"])
    return max(1, wanted)


def fine_tuning_seconds(plan: Plan, study: str, arch: str, *, dataset: str) -> float:
    """Return the seconds of fine-tuning on a dataset on one A100."""
    views = num_samples(plan, dataset, "train") * plan.config["evaluation"]["fine-tune"]["epochs"]
    scale = _scale(plan.grid.study_settings(study))
    return float(views * scale / _rate(_TRAINED, arch) / _SPEED[plan.config["precision"]])


def embedding_seconds(plan: Plan, study: str, arch: str, *, dataset: str, gpu: bool) -> float:
    """Return the seconds in which one checkpoint embeds a dataset."""
    samples, scale = num_samples(plan, dataset), _scale(plan.grid.study_settings(study))
    if gpu:  # which computes log-mel images as well
        return float(samples * scale / (_FORWARD * _rate(_TRAINED, arch)))
    threads = plan.config["evaluation"]["threads"]
    return float(samples * scale / (_rate(_EMBEDDED, arch) * threads))


def scored_rounds(plan: Plan, cell: Cell) -> int:
    """Return the number of kept rounds that are embedded to be scored."""
    federation = plan.grid.settings(cell)["federation"]
    # Round 0 and the last round are scored with the other protocols, and read from there.
    return len({*federation.get("kept_rounds", ())} - {0, federation.get("rounds")})


def decoding_seconds(plan: Plan, dataset: str) -> float:
    """Return the seconds in which a bank is built."""
    return float(num_samples(plan, dataset) / (_DECODED * plan.config["banks"]["threads"]))


def decoding_mb(plan: Plan, dataset: str) -> float:
    """Return the memory in MB that decoding one of a user's own files takes at most.

    That is 0 for archives, whose members are small.
    """
    entry = plan.config["datasets"][dataset]
    if entry["archives"]:
        return 0.0
    pixels, minutes = entry["max_megapixels"], entry["max_minutes"]
    decoded = {"image": 12 * pixels, "audio": 4 * minutes * _wide(entry)}[entry["modality"]]
    return float(decoded + 2 * entry["max_megabytes"])


def client_gpu_mb(plan: Plan, cell: Cell) -> float:
    """Return the GPU memory in MB that training one client takes, its context included."""
    settings = plan.grid.settings(cell)
    views = settings["federation"]["batch_size"] * _views(settings) * _scale(settings)
    half = 0.5 if settings["precision"] == "bf16" else 1.0
    worst = max(_ACTIVATIONS.values())
    return float(1000 + views * _ACTIVATIONS.get(cell.arch, worst) * half)


def bank_mb(plan: Plan, dataset: str) -> float:
    """Return the size of a bank in MB: of its file, or by its number of samples."""
    entry = plan.config["datasets"][dataset]
    modality = entry["modality"]
    name = {"image": "images.npy", "audio": "waveforms.npy"}[modality]
    try:
        size = os.stat(plan.paths.bank_file(dataset, name)).st_size
    except OSError:  # not built yet
        size = num_samples(plan, dataset) * _BYTES[modality] * _wide(entry)
    return size / 1e6


def _wide(entry: Mapping[str, Any]) -> int:
    """Return how many times the space of int16 a sample of sound takes; 1 for images."""
    return 2 if entry.get("dtype") == "float32" else 1


def model_bytes(arch: str) -> float:
    """Return the size of a model file of the papers' encoders."""
    return 4 * _PARAMETERS.get(arch, max(_PARAMETERS.values()))


def scored_datasets(plan: Plan, study: str, task: str) -> list[str]:
    """Return the datasets of a task, or of the images and the sounds of a paired task."""
    pairs = [pair for pair in plan.grid.pairs(study) if pair.pair == task]
    if pairs:
        return [pairs[0].image, pairs[0].audio]
    return [plan.grid.task(study, task).dataset]


def num_samples(plan: Plan, dataset: str, split: str | None = None) -> int:
    """Return the declared number of samples of a split, or of all splits; a guess if unknown."""
    entry = plan.config["datasets"][dataset]
    published = (entry.get("published") or {}).get("numbers", {})
    declared: dict[str, int | None] = entry["splits"]
    counts = {name: count or published.get(name, _SAMPLES) for name, count in declared.items()}
    return int(counts[split] if split else sum(counts.values()))


def _views(settings: Mapping[str, Any]) -> int:
    return int(settings["method"].get("n_clips", _VIEWS))


def _scale(settings: Mapping[str, Any]) -> float:
    """Return the operations for an image as a multiple of those of the papers."""
    pixels = max(settings[part]["size"] for part in ("image", "audio")) ** 2
    # The first stage then has maps of the size of the image, not of a quarter of each side.
    wider = 16 if settings.get("encoder", {}).get("stem") == "3x3" else 1
    return float(wider * pixels / _PIXELS)


def _rate(rates: Mapping[str, float], arch: str) -> float:
    return rates.get(arch, min(rates.values()))
