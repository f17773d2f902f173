"""Whether another job has done the work of a job while it waited."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from fedssl.files import sha256
from fedssl.record.inputs import files_of
from fedssl.record.read import read_record


def is_made(
    record: str | Path,
    *,
    task: Mapping[str, Any],
    inputs: Mapping[str, str],
    outputs: Iterable[str],
) -> bool:
    """Return whether a record says that a job has done a task, and its outputs are whole.

    Snakemake deletes a job's outputs before it starts. If they are there, another job made them.

    Args:
        record: file of the record.
        task: entries that the record must have.
        inputs: files with their SHA-256; the job may have found more, which must be unchanged.
        outputs: files and folders that the job writes, without its record.
    """
    path = Path(record)
    if not path.is_file():
        return False
    found = read_record(path, path.parent)
    # The record was read from JSON, in which tuples are lists and all keys are text.
    wanted = json.loads(json.dumps(task))
    if not found.intact or any(found.content.get(key) != wanted[key] for key in wanted):
        return False
    read, made = found.content["inputs"], found.content["outputs"]
    if not inputs.items() <= read.items() or made.keys() != set(files_of(outputs)):
        return False
    rest = dict(read.items() - inputs.items()) | made
    return all(Path(file).is_file() and sha256(file) == own for file, own in rest.items())
