"""Pair the images of one bank with the sounds of another.

ADVANCE is paired by name, MNIST and FSDD by class. Jobs that score pairs import this module and no
reader, so editing a reader does not rerun them, unless the bank itself changes.
"""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from fedssl.data.banks.bank import open_bank, read_facts
from fedssl.errors import UserError
from fedssl.files import reading
from fedssl.randomness import stream


def pair_split(
    vision: Path, sound: Path, *, by: str, split: str, seed: int
) -> dict[str, np.ndarray]:
    """Return the pairs of a split as positions in the banks: {"image": ..., "audio": ...}, int64.

    Args:
        vision: folder of the image bank.
        sound: folder of the audio bank.
        by: "name" or "label".
        split: split that both members of a pair belong to.
        seed: seed of the pairing by label.

    Raises:
        UserError: the banks have different classes, or their members cannot be paired.
    """
    images, sounds = open_bank(vision), open_bank(sound)
    if images.classes != sounds.classes:
        raise UserError(
            f"{images.dataset} has the classes {', '.join(images.classes)} and {sounds.dataset} "
            f"{', '.join(sounds.classes)}; a pair has one class, so the classes must be equal"
        )
    in_images, in_sounds = images.indices(split), sounds.indices(split)
    if by == "label":
        chosen = pair_by_label(images.labels[in_images], sounds.labels[in_sounds], seed=seed)
        return {"image": in_images[chosen], "audio": in_sounds}
    left, right = pair_by_name(vision, sound)
    inside = np.isin(left, in_images)
    return {"image": left[inside], "audio": right[inside]}


def pair_by_label(image_labels: np.ndarray, audio_labels: np.ndarray, *, seed: int) -> np.ndarray:
    """Return, for each sound, the position of an image with the same label; no image is used twice.

    Raises:
        UserError: a label has fewer images than sounds.
    """
    # paper: "MNIST + FSDD" without a rule for the pairs; here: each sound gets a random image of
    # its digit from the same split, without replacement. MNIST has far more images than needed.
    rng = stream(seed, "pairing")
    positions = np.empty(len(audio_labels), dtype=np.int64)
    for label in np.unique(audio_labels):
        sounds, images = audio_labels == label, np.flatnonzero(image_labels == label)
        if len(images) < sounds.sum():
            raise UserError(
                f"label {label} has {len(images)} images and {sounds.sum()} sounds; pairing "
                "without repetition needs at least as many images as sounds"
            )
        positions[sounds] = rng.permutation(images)[: sounds.sum()]
    return positions


def pair_by_name(vision: Path, sound: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return all pairs as positions in the two banks: two int64 arrays of equal length.

    Pairs with a member that is listed as bad in its bank are left out.

    Args:
        vision: folder of the image bank.
        sound: folder of the audio bank.

    Raises:
        UserError: a member has no partner, or two partners differ in class or split.
    """
    in_images, in_sounds = _rows(vision), _rows(sound)
    for rows, others, folder in ((in_images, in_sounds, sound), (in_sounds, in_images, vision)):
        bad = {member["name"] for member in read_facts(folder)["bad"]}
        if unpaired := sorted(set(rows) - set(others) - bad):
            raise UserError(
                f"{folder} has no partner of {unpaired[0]} ({len(unpaired)} in all); names must be "
                "equal in both archives"
            )
    names = [name for name in in_images if name in in_sounds]
    for name in names:
        if in_images[name][1:] != in_sounds[name][1:]:
            raise UserError(
                f"{name} is {in_images[name][1:]} in {vision} and {in_sounds[name][1:]} in "
                f"{sound}; class and split of a pair must be equal: rebuild both banks"
            )
    left, right = [
        np.array([rows[n][0] for n in names], np.int64) for rows in (in_images, in_sounds)
    ]
    return left, right


def _rows(folder: Path) -> dict[str, tuple[int, str, str]]:
    """Return name -> (position, class, split) of all samples, in the order of the bank."""
    path = folder / "index.parquet"
    with reading(path):
        table = pq.read_table(path, columns=["position", "name", "class", "split"])
    columns = (table[column].to_pylist() for column in ("name", "position", "class", "split"))
    return {name: tuple(row) for name, *row in zip(*columns, strict=True)}
