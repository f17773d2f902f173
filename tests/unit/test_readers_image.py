"""Image readers on archives in the official layout, including odd, damaged and hostile ones."""

import gzip
import os
import pickle
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from fedssl.data.banks.decoding import decode_members
from fedssl.data.made_up.containers import python2_pickle, write_idx
from fedssl.data.made_up.media import jpeg
from fedssl.data.readers import cifar10, mnist, tiny_imagenet
from fedssl.data.samples import BadMember, Sample
from fedssl.errors import UserError
from tests.unit.archives import tarred, zipped

GREEN = np.broadcast_to(np.array([0, 255, 0], np.uint8), (64, 64, 3))


def tiny_imagenet_members() -> dict[str, bytes]:
    root = "tiny-imagenet-200"
    image = jpeg(np.array(GREEN))
    return {
        f"{root}/train/n002/images/n002_0.JPEG": image,
        f"{root}/train/n001/images/n001_7.JPEG": image,
        f"{root}/train/n001/n001_boxes.txt": b"n001_7.JPEG\t0\t0\t1\t1\n",
        f"{root}/val/images/val_0.JPEG": image,
        f"{root}/val/images/val_1.JPEG": image,
        f"{root}/val/val_annotations.txt": b"val_1.JPEG\tn001\t0\t0\t9\t9\nval_0.JPEG\tn002\t0\n\n",
        f"{root}/test/images/test_0.JPEG": image,
    }


def test_tiny_imagenet_takes_validation_labels_from_the_annotations(tmp_path: Path) -> None:
    samples = list(
        decode_members(tiny_imagenet.read({"images": zipped(tmp_path, tiny_imagenet_members())}))
    )
    assert [(s.name.split("/")[-1], s.label, s.split) for s in samples] == [
        ("n001_7.JPEG", "n001", "train"),
        ("n002_0.JPEG", "n002", "train"),
        ("val_0.JPEG", "n002", "validation"),
        ("val_1.JPEG", "n001", "validation"),
    ]


def test_tiny_imagenet_reports_unreadable_and_unannotated_images(tmp_path: Path) -> None:
    members = tiny_imagenet_members()
    members["tiny-imagenet-200/val/images/val_9.JPEG"] = jpeg(np.array(GREEN))
    members["tiny-imagenet-200/train/n001/images/n001_7.JPEG"] = b"not a picture"
    samples = decode_members(tiny_imagenet.read({"images": zipped(tmp_path, members)}))
    bad = [sample for sample in samples if isinstance(sample, BadMember)]
    assert [(b.name.split("/")[-1], b.label, b.split) for b in bad] == [
        ("n001_7.JPEG", "n001", "train"),
        ("val_9.JPEG", None, "validation"),
    ]


def test_tiny_imagenet_without_annotations_is_refused(tmp_path: Path) -> None:
    members = tiny_imagenet_members()
    del members["tiny-imagenet-200/val/val_annotations.txt"]
    with pytest.raises(UserError, match=r"has no tiny-imagenet-200/val/val_annotations\.txt"):
        list(decode_members(tiny_imagenet.read({"images": zipped(tmp_path, members)})))


def test_a_zip_member_with_damaged_bytes_is_a_bad_member(tmp_path: Path) -> None:
    path = zipped(tmp_path, tiny_imagenet_members())
    data = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo("tiny-imagenet-200/train/n001/images/n001_7.JPEG")
        start = info.header_offset + 30 + len(info.filename) + 20
    data[start : start + 20] = bytes(20)
    path.write_bytes(data)
    (bad,) = (
        s for s in decode_members(tiny_imagenet.read({"images": path})) if isinstance(s, BadMember)
    )
    assert "its bytes are damaged" in bad.reason


def cifar_members(**batch: object) -> dict[str, bytes]:
    planes = np.zeros((2, 3, 32, 32), np.uint8)
    planes[0, 0], planes[1, 2, 0, 5] = 255, 7
    content = {"data": planes.reshape(2, 3072), "labels": [1, 0], **batch}
    names = [f"data_batch_{i}" for i in range(1, 6)] + ["test_batch"]
    members = {f"cifar-10-batches-py/{name}": python2_pickle(content) for name in names}
    meta = python2_pickle({"label_names": ["cat", "dog"]})
    return {"cifar-10-batches-py/batches.meta": meta, **members}


def test_cifar10_rows_are_planes_of_red_green_blue(tmp_path: Path) -> None:
    samples = list(cifar10.read({"batches": tarred(tmp_path, cifar_members())}))
    assert Counter(s.split for s in samples) == {"train": 10, "test": 2}
    first, second = samples[:2]
    assert isinstance(first, Sample) and isinstance(second, Sample)
    assert (first.label, second.label) == ("dog", "cat")
    assert (first.data == (255, 0, 0)).all()
    assert second.data[0, 5].tolist() == [0, 0, 7]
    assert second.data.sum() == 7


class Hostile:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, ("owned",)


def test_cifar10_refuses_a_pickle_that_names_a_function(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    members = cifar_members()
    members["cifar-10-batches-py/data_batch_3"] = pickle.dumps({"data": Hostile()})
    with pytest.raises(UserError, match=r"data_batch_3 of .* is refused.*asks for posix\.mkdir"):
        list(cifar10.read({"batches": tarred(tmp_path, members)}))
    assert not (tmp_path / "owned").exists()


@pytest.mark.parametrize("data", [b"", b"\x80\x02", b"rubbish", pickle.dumps([1])])
def test_cifar10_refuses_a_batch_that_is_no_dict(data: bytes, tmp_path: Path) -> None:
    members = cifar_members() | {"cifar-10-batches-py/test_batch": data}
    with pytest.raises(UserError, match=r"test_batch of .*a\.tar\.gz is refused"):
        list(cifar10.read({"batches": tarred(tmp_path, members)}))


def test_cifar10_names_a_missing_batch(tmp_path: Path) -> None:
    members = cifar_members()
    del members["cifar-10-batches-py/data_batch_4"]
    with pytest.raises(UserError, match="has no cifar-10-batches-py/data_batch_4"):
        list(cifar10.read({"batches": tarred(tmp_path, members)}))


def mnist_archives(folder: Path, *, images: int = 2, labels: int = 2) -> dict[str, Path]:
    splits = ("train", "test")
    paths = {f"{s}_{k}": folder / f"{s}-{k}.gz" for s in splits for k in ("images", "labels")}
    for split in splits:
        pixels = np.arange(images * 784, dtype=np.uint32).astype(np.uint8).reshape(-1, 28, 28)
        write_idx(paths[f"{split}_images"], pixels)
        write_idx(paths[f"{split}_labels"], np.arange(labels, dtype=np.uint8))
    return paths


def test_mnist_keeps_rows_columns_and_labels(tmp_path: Path) -> None:
    samples = list(mnist.read(mnist_archives(tmp_path)))
    assert [(s.split, s.label) for s in samples] == [
        ("train", "0"),
        ("train", "1"),
        ("test", "0"),
        ("test", "1"),
    ]
    assert isinstance(samples[0], Sample)
    assert samples[0].data.shape == (28, 28, 1)
    assert samples[0].data[1, 2, 0] == 30


def test_mnist_refuses_unequal_images_and_labels(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"holds 2 images and .* 3 labels"):
        list(mnist.read(mnist_archives(tmp_path, labels=3)))


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"plain", "not a whole gzip file"),
        (gzip.compress(bytes(99))[:-12], "not a whole gzip file"),
        (gzip.compress(bytes(99)), "not an idx file"),
        (gzip.compress(b"\0\0\x08\x03"), "not an idx file"),
        (gzip.compress(b"\0\0\x08\x03" + b"\0\0\0\x02" * 3 + bytes(7)), r"holds 7 values.*2, 2, 2"),
        (
            gzip.compress(b"\0\0\x08\x03" + b"\0\0\0\x02" * 3 + bytes(9)),
            r"holds more values.*2, 2",
        ),
    ],
    ids=["plain", "cut", "zeros", "header-alone", "too-short", "too-long"],
)
def test_mnist_refuses_damaged_files(data: bytes, says: str, tmp_path: Path) -> None:
    archives = mnist_archives(tmp_path)
    archives["train_images"].write_bytes(data)
    with pytest.raises(UserError, match=says):
        list(mnist.read(archives))
