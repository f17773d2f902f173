"""Read tables of CSV and Parquet files, with an error that names a damaged file."""

from pathlib import Path
from typing import Any

import pandas as pd

from fedssl.files import reading


def read_csv(path: str | Path, **options: Any) -> pd.DataFrame:
    """Return the rows of a CSV file; `options` are those of pandas.

    Raises:
        DamagedFile: It is not CSV.
    """
    with reading(path):
        # pandas reads zeroed bytes as a table without rows.
        if b"\0" in Path(path).read_bytes():
            raise ValueError("it holds zero bytes")
        frame: pd.DataFrame = pd.read_csv(path, **options)
    return frame


def read_parquet(path: str | Path, **options: Any) -> pd.DataFrame:
    """Return the rows of a Parquet file; `options` are those of pandas.

    Raises:
        DamagedFile: It is not Parquet.
    """
    with reading(path):
        return pd.read_parquet(path, **options)
