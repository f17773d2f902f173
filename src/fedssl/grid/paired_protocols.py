"""By which protocols pairs of an image and a sound are scored, and which of them a split can have.

`transfer` (fssuavl table 4) shows an encoder whatever it was trained on; the kNN ones (table 5)
show it the pair, its image or its sound.
"""

from collections.abc import Iterable

from fedssl.grid.splits import MODALITIES, parse_split

KNN_SHOWS = {"knn-av": ("image", "audio"), "knn-v": ("image",), "knn-a": ("audio",)}
PAIRED_PROTOCOLS = ("transfer", *KNN_SHOWS)
# Two checkpoints in the place of one: images go to the first, sounds to the second.
SPECIALISTS = "a0-i100-b0+a100-i0-b0"


def paired_protocols(split: str) -> tuple[str, ...]:
    """Return the protocols of a split: a specialist is never shown what it was not trained on."""
    if split == SPECIALISTS:
        return ("knn-av",)
    known = parse_split(split).modalities
    return ("transfer", *(name for name, shows in KNN_SHOWS.items() if set(shows) <= set(known)))


# The outputs of a rule are fixed, and a specialist has fewer scores than an encoder of both
# modalities. So each kind of split has a rule of its own.
KINDS = {
    "both": PAIRED_PROTOCOLS,
    "image": paired_protocols("a0-i100-b0"),
    "audio": paired_protocols("a100-i0-b0"),
    "specialists": paired_protocols(SPECIALISTS),
}


def splits_of_kind(kind: str, splits: Iterable[str]) -> list[str]:
    """Return the splits of a kind: encoders of an image, audio or both, or two specialists."""
    if kind == "specialists":
        return [SPECIALISTS]
    known = MODALITIES if kind == "both" else (kind,)
    return [split for split in splits if parse_split(split).modalities == known]
