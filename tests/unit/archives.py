"""Archives for tests: generated ones, and the real subsets if the mirror is available."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from fedssl.data.made_up.archives import write_archives
from fedssl.data.made_up.containers import write_tar_gz, write_zip

ROOT = Path(__file__).parents[2]
MIRROR = ROOT.parent / "shared" / "data"
DATASETS: Mapping[str, Any] = yaml.safe_load((ROOT / "config/datasets.yaml").read_text())[
    "datasets"
]

# dataset -> (classes, members per split) of a made-up one, as small as every class in every split
SMALL: Mapping[str, tuple[int, Mapping[str, int]]] = {
    "tiny-imagenet": (3, {"train": 12, "validation": 6}),
    "cifar10": (10, {"train": 20, "test": 10}),
    "mnist": (10, {"train": 20, "test": 10}),
    "fsdd": (10, {"train": 20, "test": 10}),
    "speech-commands": (35, {"train": 70, "validation": 35, "test": 35}),
    "esc10": (5, {"train": 20, "test": 5}),
    "advance-vision": (2, {"train": 14, "test": 6}),
    "advance-sound": (2, {"train": 14, "test": 6}),
}


@dataclass(frozen=True)
class Real:
    """The contents of a dataset in the mirror, counted by hand or stated by its source."""

    files: Mapping[str, str]
    classes: int
    splits: Mapping[str, int]


REAL: Mapping[str, Real] = {
    "tiny-imagenet": Real(
        {"images": "tiny-imagenet-200.subset-20x200.zip"}, 20, {"train": 4000, "validation": 1000}
    ),
    "cifar10": Real(
        {"batches": "cifar-10-python.subset-5000-1000.tar.gz"}, 10, {"train": 5000, "test": 1000}
    ),
    "mnist": Real(
        {key: archive["file"] for key, archive in DATASETS["mnist"]["archives"].items()},
        10,
        {"train": 60000, "test": 10000},
    ),
    "fsdd": Real(
        {"recordings": "free-spoken-digit-dataset-master.zip"}, 10, {"train": 2700, "test": 300}
    ),
    "speech-commands": Real(
        {"clips": "speech_commands_v0.02.mini35.tar.gz"},
        35,
        {"train": 740, "validation": 102, "test": 260},
    ),
    "esc10": Real({"clips": "ESC-10-master.zip"}, 10, {"train": 320, "test": 80}),
}


def archive_paths(dataset: str, folder: Path) -> dict[str, Path]:
    """Return archive key -> path in `folder`, by the file names of config/datasets.yaml."""
    return {key: folder / a["file"] for key, a in DATASETS[dataset]["archives"].items()}


def synthetic_archives(dataset: str, folder: Path, *, seed: int = 0) -> dict[str, Path]:
    """Write the small generated archives of `dataset`."""
    classes, splits = SMALL[dataset]
    paths = archive_paths(dataset, folder)
    write_archives(dataset, paths, classes=classes, splits=splits, seed=seed)
    return paths


def real_archives(dataset: str) -> dict[str, Path]:
    """Return the mirror's archives of `dataset`; skip the test if there are none."""
    paths = {key: MIRROR / dataset / file for key, file in REAL[dataset].files.items()}
    absent = [str(path) for path in paths.values() if not path.exists()]
    if absent:
        pytest.skip(f"the mirror is not here: {absent[0]} does not exist")
    return paths


def zipped(folder: Path, members: Mapping[str, bytes]) -> Path:
    """Write a zip of the members."""
    write_zip(folder / "a.zip", members.items())
    return folder / "a.zip"


def tarred(folder: Path, members: Mapping[str, bytes]) -> Path:
    """Write a tar.gz of the members."""
    write_tar_gz(folder / "a.tar.gz", members.items())
    return folder / "a.tar.gz"
