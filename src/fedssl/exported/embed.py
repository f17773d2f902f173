"""Compute the features of a folder of files with an exported encoder."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from fedssl.data.banks.bank import Modality
from fedssl.data.banks.settings import OwnFiles
from fedssl.data.own.labelled_files import LabelledFile
from fedssl.device import prepare_device
from fedssl.errors import UserError
from fedssl.evaluation.features import extract_features
from fedssl.exported.decode import memory_banks
from fedssl.exported.find import find_files, of_modality, only_modality
from fedssl.exported.load import LoadedEncoder, load_encoder
from fedssl.files import atomic_write, sha256
from fedssl.views.bank_views import Views
from fedssl.views.settings import ViewSettings

FORMATS = (".parquet", ".npz")


@dataclass(frozen=True, eq=False)
class Embedded:
    """The features of a folder of files.

    Attributes:
        files: paths below the folder, sorted.
        features: (len(files), num_features) float32.
        unreadable: path -> reason, of files that could not be decoded.
        others: number of files of other kinds, which were passed over.
        facts: the encoder's file, its SHA-256 and its cell.
    """

    files: Sequence[str]
    features: np.ndarray
    unreadable: dict[str, str]
    others: int
    facts: dict[str, str]


def embed(
    encoder: Path, folder: Path, *, modality: Modality | None = None, size: int | None = None
) -> Embedded:
    """Return the features of all images or sounds at any depth of a folder.

    Files are decoded as those of a user's own dataset, and features are computed as in evaluation,
    without recalibration of batch norm. So features are those of the workflow, bit for bit on the
    same hardware.

    Args:
        encoder: a file that `fedssl export` wrote.
        folder: the folder of files.
        modality: what to embed; needed where the folder has images and sounds.
        size: width and height in pixels to which images are cut; None for the encoder's own.

    Raises:
        UserError: No file can be read, or the encoder cannot embed this modality.
    """
    loaded, listed = load_encoder(encoder), find_files(folder)
    exported = loaded.preprocess.settings
    chosen = modality or only_modality(listed, folder)
    if chosen == "audio" and exported.statistics is None:
        raise UserError(
            f"{encoder} has no spectrogram statistics, because its run had no audio; it can embed "
            "images only."
        )
    wanted = of_modality(listed, chosen)
    own = OwnFiles("folder", chosen, size=size or exported.size)
    files, features, unreadable = _features(loaded, wanted, own)
    if not files:
        name, reason = next(iter(unreadable.items()), (str(folder), f"it has no {chosen}"))
        raise UserError(f"none of {len(wanted)} files can be read, such as {name}: {reason}.")
    cell = str(exported.provenance["cell"])
    facts = {"encoder": encoder.name, "sha256": sha256(encoder), "cell": cell}
    return Embedded(files, np.concatenate(features), unreadable, len(listed) - len(wanted), facts)


def _features(
    loaded: LoadedEncoder, wanted: Sequence[LabelledFile], own: OwnFiles
) -> tuple[list[str], list[np.ndarray], dict[str, str]]:
    """Return the names and the features of readable files, and the reasons for the others."""
    exported = loaded.preprocess.settings
    device = prepare_device(exported.threads, portable=exported.portable)
    settings = ViewSettings(image=exported.image, audio=exported.audio)
    files: list[str] = []
    features: list[np.ndarray] = []
    unreadable: dict[str, str] = {}
    banks = memory_banks(wanted, own, sound=exported.sound, unreadable=unreadable)
    for names, bank in banks:
        views = Views(bank, settings, statistics=exported.statistics, device=device)
        every = np.arange(len(names))
        found = extract_features(loaded.module.backbone, views, every, device=device)
        files += names
        features.append(found.cpu().numpy())
    return files, features, unreadable


def write_features(found: Embedded, path: Path) -> None:
    """Write features as Parquet (columns `file`, `f0`, `f1` ...) or NPZ (`files`, `features`)."""
    with atomic_write(path) as temporary:
        if path.suffix == ".npz":
            files, facts = np.array(found.files), dict(found.facts)
            with temporary.open("wb") as file:
                np.savez(file, files=files, features=found.features, **facts)  # type: ignore[arg-type]
            return
        columns = [f"f{place}" for place in range(found.features.shape[1])]
        frame = pd.DataFrame(found.features, columns=columns)
        frame.insert(0, "file", list(found.files))
        frame.attrs.update(found.facts)
        frame.to_parquet(temporary, index=False)
