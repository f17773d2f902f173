"""The protocols that score pairs of an image and a sound, and which splits have which protocol.

`transfer` (fssuavl table 4) uses the modalities that an encoder was trained on. The kNN protocols
(table 5) use the pair, its image or its sound.
"""

from collections.abc import Iterable

from fedssl.grid.splits import MODALITIES, parse_split

KNN_SHOWS = {"knn-av": ("image", "audio"), "knn-v": ("image",), "knn-a": ("audio",)}
# One job writes all of these that a split has, because they need only features.
PAIRED_PROTOCOLS = ("transfer", *KNN_SHOWS)
# Two checkpoints that act as one: the first encodes images, the second sounds.
SPECIALISTS = "a0-i100-b0+a100-i0-b0"


def paired_protocols(split: str) -> tuple[str, ...]:
    """Return the protocols of a split; a specialist has none with the other modality."""
    if split == SPECIALISTS:
        return ("knn-av",)
    known = parse_split(split).modalities
    return ("transfer", *(name for name, shows in KNN_SHOWS.items() if set(shows) <= set(known)))


def missing_protocols(split: str) -> set[str]:
    """Return the protocols that encoders of a split cannot be scored with."""
    missing = set(PAIRED_PROTOCOLS).difference(paired_protocols(split))
    # Fine-tuning trains one encoder, and two specialists are two.
    return missing | ({"fine-tune"} if split == SPECIALISTS else set())


# The outputs of a Snakemake rule are fixed, and a specialist has fewer scores than an encoder of
# both modalities. Therefore each kind of split has its own rule.
KINDS = {
    "both": PAIRED_PROTOCOLS,
    "image": paired_protocols("a0-i100-b0"),
    "audio": paired_protocols("a100-i0-b0"),
    "specialists": paired_protocols(SPECIALISTS),
}


def splits_of_kind(kind: str, splits: Iterable[str]) -> list[str]:
    """Return the splits of a kind; `kind` is a key of `KINDS`."""
    if kind == "specialists":
        return [SPECIALISTS]
    known = MODALITIES if kind == "both" else (kind,)
    return [split for split in splits if parse_split(split).modalities == known]
