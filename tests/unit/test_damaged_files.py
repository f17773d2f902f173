"""A damaged file is answered with one sentence that names it, whichever library reads it."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from fedssl.data.banks.rows import FileRows
from fedssl.data.pairing import pair_by_name
from fedssl.errors import DamagedFile, UserError
from fedssl.federation.checkpoint import load_state, read_training, save_state
from fedssl.files import digest, read_json, reading, write_json
from fedssl.frames import read_csv, read_parquet
from fedssl.publishing import forget_verified, verified_files
from fedssl.record.inputs import verified
from fedssl.rehearsal.rates import read_table

_TABLE = pd.DataFrame({"round": range(500), "value": np.linspace(0, 1, 500)})


def _whole(path: Path) -> None:
    """Write a whole file of the kind that its suffix says."""
    match path.suffix:
        case ".json":
            write_json(path, {"value": 1})
        case ".csv":
            _TABLE.to_csv(path)
        case ".parquet":
            _TABLE.to_parquet(path)
        case ".safetensors":
            save_state({"weight": torch.ones(500)}, path)
        case ".npy":
            np.save(path, np.ones((500, 2)))


READERS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "JSON": ("score.json", read_json),
    "CSV": ("rounds.csv", read_csv),
    "Parquet": ("knn.parquet", read_parquet),
    "weights": ("model.safetensors", load_state),
    "facts of a model": ("model.safetensors", read_training),
    "array": ("images.npy", FileRows),
}


def _zero(content: bytes) -> bytes:
    return bytes(len(content))


def _garble(content: bytes) -> bytes:
    return b"\xff\xfe\x00" + content[::-1]


def _empty(_: bytes) -> bytes:
    return b""


def _cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


@pytest.mark.parametrize("damage", [_zero, _garble, _empty, _cut])
@pytest.mark.parametrize("kind", READERS)
def test_a_damaged_file_is_named(tmp_path: Path, kind: str, damage: Callable[[bytes], bytes]):
    name, read = READERS[kind]
    path = tmp_path / name
    _whole(path)
    read(path)
    path.write_bytes(damage(path.read_bytes()))
    if (kind, damage) == ("CSV", _cut):
        return  # half of a CSV file is a CSV file; only its hash tells
    with pytest.raises(UserError, match=r"is damaged: .*`fedssl repair`") as raised:
        read(path)
    said = str(raised.value)
    assert said.startswith(str(path)) and "\n" not in said


@pytest.mark.parametrize("kind", READERS)
def test_a_missing_file_stays_an_error_of_the_system(tmp_path: Path, kind: str):
    name, read = READERS[kind]
    with pytest.raises(FileNotFoundError):
        read(tmp_path / name)


def test_a_damaged_index_of_a_bank_is_named(tmp_path: Path):
    (tmp_path / "index.parquet").write_bytes(b"PAR1")
    with pytest.raises(DamagedFile, match=r"index\.parquet is damaged"):
        pair_by_name(tmp_path, tmp_path)


def test_a_table_of_a_rehearsal_with_other_columns_is_named(tmp_path: Path):
    _whole(tmp_path / "rates.csv")
    with pytest.raises(DamagedFile, match=r"rates\.csv is damaged"):
        read_table(tmp_path / "rates.csv")


def test_a_mistake_of_the_user_is_not_called_damage(tmp_path: Path):
    with pytest.raises(UserError, match="another sentence") as raised, reading(tmp_path / "a"):
        raise UserError("another sentence")
    assert not isinstance(raised.value, DamagedFile)


def test_a_file_that_a_job_finds_by_itself_is_verified_and_recorded(tmp_path: Path):
    forget_verified()
    path = tmp_path / "knn.parquet"
    _whole(path)
    own = verified_files_after(path)
    content = {"rule": "evaluate", "settings": {}, "inputs": {}, "sources": {}}
    content["outputs"] = {str(path): own}
    write_json(tmp_path / "provenance.json", content | {"digest": digest(content)})
    assert verified(path) == path
    path.write_bytes(bytes(path.stat().st_size))
    with pytest.raises(UserError, match=r"knn\.parquet has other content than its job wrote"):
        verified(path)


def verified_files_after(path: Path) -> str:
    """Return the hash under which a file without a record is recorded."""
    verified(path)
    return verified_files()[str(path)]
