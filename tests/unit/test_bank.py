"""Banks: reading returns what was written, and errors about damage say what to do."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fedssl.data.banks.bank import FILES, Modality, open_bank
from fedssl.data.samples import Sample
from fedssl.errors import UserError
from tests.unit.banks import clips, images, write


def test_images_come_back_in_order_with_their_labels_and_splits(tmp_path: Path) -> None:
    samples = images()
    write(samples, tmp_path)
    bank = open_bank(tmp_path)
    assert isinstance(bank.images, np.memmap)
    assert bank.waveforms is None and bank.offsets is None
    np.testing.assert_array_equal(bank.images, [s.data for s in samples])  # type: ignore[union-attr]
    assert bank.classes == ("ant", "cat", "dog")
    assert bank.labels.tolist() == [2, 1, 0, 2, 1, 0]
    assert bank.labels.dtype == np.int64
    assert bank.indices("train").tolist() == [0, 1, 2, 3]
    assert bank.indices("test").dtype == np.int64
    assert len(bank) == 6
    assert (bank.dataset, bank.modality) == ("toy", "image")


@given(lengths=st.lists(st.integers(1, 40), min_size=2, max_size=12))
@settings(max_examples=20, deadline=None)
def test_clips_of_any_length_come_back_whole(
    lengths: list[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("bank")
    samples = clips(lengths)
    write(samples, folder)
    bank = open_bank(folder)
    assert isinstance(bank.waveforms, np.memmap)
    assert bank.offsets is not None and bank.images is None
    assert bank.offsets.dtype == np.int64
    assert len(bank.waveforms) == sum(lengths)
    for position, sample in enumerate(samples):
        assert isinstance(sample, Sample)
        clip = bank.waveforms[bank.offsets[position] : bank.offsets[position + 1]]
        np.testing.assert_array_equal(clip, sample.data)


@pytest.mark.parametrize("damage", ["truncated", "missing"])
@pytest.mark.parametrize(
    ("modality", "name"), [(m, name) for m in FILES for name in FILES[m]], ids="-".join
)
def test_a_damaged_file_is_named_with_the_remedy(
    modality: Modality, name: str, damage: str, tmp_path: Path
) -> None:
    write(images() if modality == "image" else clips(), tmp_path)
    path = tmp_path / name
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(UserError, match=rf"{name} (is missing|has \d+ bytes).*delete bank\.json"):
        open_bank(tmp_path)


def test_a_folder_without_a_bank_says_so(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"bank\.json is missing.*run the bank rule"):
        open_bank(tmp_path)


@pytest.mark.parametrize(("text", "says"), [("{", "is not JSON"), ('{"format": 0}', "format 0")])
def test_a_bank_json_of_another_kind_is_refused(text: str, says: str, tmp_path: Path) -> None:
    (tmp_path / "bank.json").write_text(text)
    with pytest.raises(UserError, match=says):
        open_bank(tmp_path)


def test_an_unknown_split_names_the_known_ones(tmp_path: Path) -> None:
    write(images(), tmp_path)
    with pytest.raises(UserError, match="no split 'validation'; its splits are test, train"):
        open_bank(tmp_path).indices("validation")
