"""Write small generated archives in the official layouts, so that the usual readers read them."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from fedssl.data.made_up.containers import (
    python2_pickle,
    write_idx,
    write_tar_gz,
    write_zip,
)
from fedssl.data.made_up.media import jpeg, ogg, picture, sound, wav
from fedssl.data.readers.advance import split_by_place
from fedssl.errors import UserError
from fedssl.randomness import stream

# Part of the archives: another text would change their bytes and checksums.
README = b"Synthetic: drawn and sounded by a program for a demonstration. Not the real data set.\n"

# fmt: off
CIFAR10 = [
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
]
SPEAKERS = ["george", "jackson", "lucas", "nicolas", "theo", "yweweler"]
WORDS = [
    "backward", "bed", "bird", "cat", "dog", "down", "eight", "five", "follow", "forward",
    "four", "go", "happy", "house", "learn", "left", "marvin", "nine", "no", "off", "on", "one",
    "right", "seven", "sheila", "six", "stop", "three", "tree", "two", "up", "visual", "wow",
    "yes", "zero",
]
ESC10 = [
    "001 - Dog bark", "002 - Rain", "003 - Sea waves", "004 - Baby cry", "005 - Clock tick",
    "006 - Person sneeze", "007 - Helicopter", "008 - Chainsaw", "009 - Rooster",
    "010 - Fire crackling",
]
ADVANCE = [
    "airport", "beach", "bridge", "farmland", "forest", "grassland", "harbour", "lake", "orchard",
    "residential", "sparse shrub land", "sports land", "train station",
]
# fmt: on

# One image in 20 is greyscale: the official archive has such JPEGs, and readers must handle them.
_GREY_ONE_IN = 20


@dataclass(frozen=True)
class _Contents:
    """What to generate: the number of classes, the items per split, and the seed."""

    dataset: str
    classes: int
    splits: Mapping[str, int]
    seed: int

    def items(self, split: str) -> Iterator[tuple[int, int, np.random.Generator]]:
        """Yield (number within its class, class, generator) of each item, classes in turn."""
        # Each item has its own stream, so that the number of items does not change their contents.
        for item in range(self.splits[split]):
            rng = stream(self.seed, f"{self.dataset} {split} {item}")
            yield item // self.classes, item % self.classes, rng


def write_archives(
    dataset: str,
    archives: Mapping[str, Path],
    *,
    classes: int,
    splits: Mapping[str, int],
    seed: int,
) -> None:
    """Write generated archives of a dataset; the same arguments give the same bytes.

    Args:
        dataset: name of a dataset that has a generator in this module.
        archives: archive key -> path to write, for one or more archives of the reader.
        classes: number of classes.
        splits: number of items per split; they are assigned to the classes in turn.
        seed: seed of all random draws.

    Raises:
        UserError: there is no generator, or the official layout does not allow so many classes
            or items.
    """
    if dataset not in _WRITERS:
        raise UserError(
            f"there is no generator for {dataset!r}; there are generators for "
            f"{', '.join(sorted(_WRITERS))}"
        )
    write, splits_known, most_classes = _WRITERS[dataset]
    if set(splits) != set(splits_known):
        known, given = ", ".join(splits_known), ", ".join(splits)
        raise UserError(f"the splits of {dataset} are {given}; they must be {known}")
    if not 1 <= classes <= most_classes:
        raise UserError(f"{dataset} has {classes} classes; it must have 1 to {most_classes}")
    write(archives, _Contents(dataset, classes, splits, seed))


def _tiny_imagenet(archives: Mapping[str, Path], contents: _Contents) -> None:
    root = "tiny-imagenet-200"
    wnids = [f"n{90_000_000 + class_id}" for class_id in range(contents.classes)]
    members = [
        (f"{root}/README.txt", README),
        (f"{root}/wnids.txt", "".join(f"{wnid}\n" for wnid in wnids).encode()),
    ]
    for rank, class_id, rng in contents.items("train"):
        wnid = wnids[class_id]
        members.append((f"{root}/train/{wnid}/images/{wnid}_{rank}.JPEG", _photo(rng, class_id)))
    rows = ""
    for position, (_, class_id, rng) in enumerate(contents.items("validation")):
        rows += f"val_{position}.JPEG\t{wnids[class_id]}\t0\t0\t63\t63\n"
        members.append((f"{root}/val/images/val_{position}.JPEG", _photo(rng, class_id)))
    members.append((f"{root}/val/val_annotations.txt", rows.encode()))
    members.append((f"{root}/test/images/test_0.JPEG", jpeg(np.zeros((64, 64, 3), np.uint8))))
    write_zip(archives["images"], members)


def _photo(rng: np.random.Generator, class_id: int) -> bytes:
    """Return a JPEG of 64 x 64 pixels, in colour or sometimes greyscale."""
    pixels = picture(rng, class_id, size=64)
    return jpeg(pixels[:, :, 1] if rng.integers(_GREY_ONE_IN) == 0 else pixels)


def _cifar10(archives: Mapping[str, Path], contents: _Contents) -> None:
    root = "cifar-10-batches-py"
    train = list(contents.items("train"))
    batches = {f"data_batch_{part + 1}": train[part::5] for part in range(5)}
    batches["test_batch"] = list(contents.items("test"))
    names = python2_pickle({"label_names": CIFAR10[: contents.classes]})
    members = [(f"{root}/batches.meta", names)]
    for name, items in batches.items():
        images = [picture(rng, class_id, size=32).transpose(2, 0, 1) for _, class_id, rng in items]
        content = {
            "batch_label": name,
            "labels": [class_id for _, class_id, _ in items],
            "data": np.array(images, np.uint8).reshape(len(items), 3072),
        }
        members.append((f"{root}/{name}", python2_pickle(content)))
    write_tar_gz(archives["batches"], [*members, (f"{root}/readme.html", README)])


def _mnist(archives: Mapping[str, Path], contents: _Contents) -> None:
    for key, path in archives.items():
        split, content = key.split("_")
        items = list(contents.items(split))
        if content == "labels":
            write_idx(path, np.array([class_id for _, class_id, _ in items], np.uint8))
        else:
            images = [
                picture(rng, class_id, size=28)[:, :, class_id % 3] for _, class_id, rng in items
            ]
            write_idx(path, np.array(images, np.uint8).reshape(-1, 28, 28))


def _fsdd(archives: Mapping[str, Path], contents: _Contents) -> None:
    root = "free-spoken-digit-dataset-synthetic"
    members = [(f"{root}/README.md", README)]
    for split, first in (("test", 0), ("train", 5)):
        for rank, digit, rng in contents.items(split):
            index = first + rank // len(SPEAKERS)
            if split == "test" and index >= 5:
                raise UserError(
                    f"fsdd can have at most {30 * contents.classes} test items with "
                    f"{contents.classes} classes; lower its number of test items"
                )
            name = f"{digit}_{SPEAKERS[rank % len(SPEAKERS)]}_{index}.wav"
            clip = sound(rng, digit, seconds=rng.uniform(2.0, 2.4), rate=8000)
            members.append((f"{root}/recordings/{name}", wav(clip, rate=8000)))
    write_zip(archives["recordings"], members)


def _speech_commands(archives: Mapping[str, Path], contents: _Contents) -> None:
    lists: dict[str, list[str]] = {"train": [], "validation": [], "test": []}
    # The official archive has background noise, which the reader must leave out.
    hiss = stream(contents.seed, f"{contents.dataset} hiss").normal(0, 0.1, 16_000)
    members = [("./_background_noise_/white_noise.wav", wav(hiss, rate=16_000))]
    for speaker, split in enumerate(lists):
        for rank, class_id, rng in contents.items(split):
            name = f"{WORDS[class_id]}/{speaker}{rank:07x}_nohash_0.wav"
            clip = sound(rng, class_id, seconds=rng.uniform(0.8, 1.0), rate=16_000)
            lists[split].append(name)
            members.append((f"./{name}", wav(clip, rate=16_000)))
    for file, split in (("validation_list.txt", "validation"), ("testing_list.txt", "test")):
        # No newline at the end, as in the official lists. The reader must find the lists even after
        # the clips.
        members.append((f"./{file}", "\n".join(lists[split]).encode()))
    write_tar_gz(archives["clips"], [*members, ("./README.md", README)])


def _esc10(archives: Mapping[str, Path], contents: _Contents) -> None:
    root = "ESC-10-synthetic"
    members = [(f"{root}/README.md", README)]
    for split in contents.splits:
        for rank, class_id, rng in contents.items(split):
            fold = 5 if split == "test" else 1 + rank % 4
            clip = sound(rng, class_id, seconds=rng.uniform(0.8, 1.2), rate=44_100)
            name = f"{root}/{ESC10[class_id]}/{fold}-{100_000 + rank}-A.ogg"
            members.append((name, ogg(clip, rate=44_100)))
    write_zip(archives["clips"], members)


def _advance_vision(archives: Mapping[str, Path], contents: _Contents) -> None:
    items = _advance_items(contents)
    photos = [
        (f"vision/{key}.jpg", jpeg(picture(rng, class_id, size=64))) for key, class_id, rng in items
    ]
    write_zip(archives["vision"], [("vision/README.txt", README), *photos])


def _advance_sound(archives: Mapping[str, Path], contents: _Contents) -> None:
    clips = [
        (f"sound/{key}.wav", wav(sound(rng, class_id, seconds=1.0, rate=16_000), rate=16_000))
        for key, class_id, rng in _advance_items(contents)
    ]
    write_zip(archives["sound"], [("sound/README.txt", README), *clips])


def _advance_items(contents: _Contents) -> list[tuple[str, int, np.random.Generator]]:
    """Return (class/id, class, generator) of each place."""
    # The reader assigns places to the splits, so the requested split sizes must be those that its
    # rule gives.
    places = replace(contents, splits={"all": sum(contents.splits.values())}).items("all")
    items = [
        (ADVANCE[class_id], f"{i:05d}_0", class_id, rng)
        for i, (_, class_id, rng) in enumerate(places)
    ]
    dealt = Counter(split_by_place((label, identity) for label, identity, _, _ in items).values())
    if dealt != contents.splits:
        raise UserError(
            f"{contents.dataset} with {len(items)} places has the splits {dict(dealt)}, not "
            f"{dict(contents.splits)}; declare those"
        )
    return [(f"{label}/{identity}", class_id, rng) for label, identity, class_id, rng in items]


_WRITERS: Mapping[
    str, tuple[Callable[[Mapping[str, Path], _Contents], None], tuple[str, ...], int]
] = {
    "tiny-imagenet": (_tiny_imagenet, ("train", "validation"), 200),
    "cifar10": (_cifar10, ("train", "test"), 10),
    "mnist": (_mnist, ("train", "test"), 10),
    "fsdd": (_fsdd, ("train", "test"), 10),
    "speech-commands": (_speech_commands, ("train", "validation", "test"), 35),
    "esc10": (_esc10, ("train", "test"), 10),
    "advance-vision": (_advance_vision, ("train", "test"), 13),
    "advance-sound": (_advance_sound, ("train", "test"), 13),
}
