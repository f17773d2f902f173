"""Ways to damage a file, and the kinds of files of a results folder."""

import os
import random
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

Way = Callable[[Path, list[Path], random.Random], None]
"""Damages a file; the others of its kind are there to replace it."""


def _zero(path: Path, _: list[Path], __: random.Random) -> None:
    path.write_bytes(bytes(path.stat().st_size))


def _truncate(path: Path, _: list[Path], source: random.Random) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: source.randrange(len(content))])


def _flip(path: Path, _: list[Path], source: random.Random) -> None:
    content = bytearray(path.read_bytes())
    content[source.randrange(len(content))] ^= 1 << source.randrange(8)
    path.write_bytes(content)


def _remove(path: Path, _: list[Path], __: random.Random) -> None:
    path.unlink()


def _replace(path: Path, others: list[Path], source: random.Random) -> None:
    content = path.read_bytes()
    different = [other for other in others if other.read_bytes() != content]
    if not different:
        raise LookupError(f"there is no other {path.name} to replace it")
    path.write_bytes(source.choice(different).read_bytes())


WAYS: Mapping[str, Way] = MappingProxyType(
    {
        "zeroed": _zero,
        "truncated": _truncate,
        "one bit flipped": _flip,
        "removed": _remove,
        "replaced by another of its kind": _replace,
    }
)


def damage(path: Path, others: list[Path], *, way: str, source: random.Random) -> None:
    """Damage a file and keep its times, as a fault of a disk does.

    With a new time, Snakemake would run the jobs again that read it.

    Raises:
        LookupError: The file is to be replaced, and there is no other of its kind.
    """
    times = path.stat()
    WAYS[way](path, others, source)
    if path.exists():
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


class Kind(NamedTuple):
    """A kind of file of a finished run.

    Attributes:
        pattern: the files of this kind in a results folder. The first, in order, is damaged; it is
            replaced by any other, such as that of another seed.
        read_by: a file whose job reads it, and which is made again while it is damaged.
    """

    pattern: str
    read_by: str | None = None


_PRETRAIN = "pretrain/*/*/*/*/*/*/seed?"
_EVALUATE = "evaluate/*/*/*/*/*/*/seed?/*"
_SCORE = "evaluate/fassl/*/*/*/*/*/seed0/fsdd/knn.json"
_ROUNDS = "evaluate/fassl/*/*/*/*/*/seed0/fsdd/rounds.csv"
_MODEL = "pretrain/fassl/*/*/*/*/*/seed0/model.safetensors"

KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "archive": Kind("archives/*/*.zip", "banks/fsdd/bank.json"),
        "bank array (waveforms)": Kind("banks/*/waveforms.npy", _SCORE),
        "bank array (images)": Kind("banks/*/images.npy"),
        "bank array (labels)": Kind("banks/*/labels.npy", _SCORE),
        "bank array (offsets)": Kind("banks/*/offsets.npy", _SCORE),
        "bank index": Kind("banks/*/index.parquet", _SCORE),
        "bank.json": Kind("banks/*/bank.json", _SCORE),
        "normalisation": Kind("normalisation/*/*.json", _SCORE),
        "shards": Kind("shards/*/*/seed?.json", _MODEL),
        "model": Kind(f"{_PRETRAIN}/model.safetensors", _SCORE),
        "kept model": Kind(f"{_PRETRAIN}/milestones/round2.safetensors", _ROUNDS),
        "best model": Kind(f"{_PRETRAIN}/best/*.safetensors"),
        "rounds.csv": Kind(f"{_PRETRAIN}/rounds.csv"),
        "record of a pretraining": Kind(f"{_PRETRAIN}/provenance.json"),
        "record of a score": Kind(f"{_EVALUATE}/provenance.json"),
        "score": Kind(f"{_EVALUATE}/knn.json", "tables/fassl_random_init.csv"),
        "predictions": Kind(f"{_EVALUATE}/knn.parquet", "tables/fassl_random_init.csv"),
        "scores of rounds": Kind(f"{_EVALUATE}/rounds.csv", "figures/fassl_rounds.pdf"),
        "table": Kind("tables/*.csv"),
        "figure": Kind("figures/*.pdf"),
    }
)


def files_of(results: Path, kind: Kind) -> list[Path]:
    """Return the files of a kind, in order, without records that match its pattern by chance."""
    found = sorted(results.glob(kind.pattern))
    if not kind.pattern.endswith("provenance.json"):
        found = [path for path in found if not path.name.endswith("provenance.json")]
    return found
