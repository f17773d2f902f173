"""Run a rule's script with a log, a clear error message, and a provenance record on success."""

import contextlib
import errno
import logging
import os
import platform
import sys
import warnings
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fedssl.errors import OutOfMemory, UserError, describe
from fedssl.files import remove_temporary_files
from fedssl.gpus import reserved_gpus
from fedssl.lease import LostLease
from fedssl.progress import FINAL
from fedssl.record.attempts import only_attempt
from fedssl.record.environment import own_rule_name
from fedssl.record.inputs import Inputs
from fedssl.record.made import is_made
from fedssl.record.sources import module_path
from fedssl.record.storage import in_storage
from fedssl.record.write import code_facts, gpu_name, write_provenance

_log = logging.getLogger("fedssl")
# Seconds to wait for a job of an earlier run that writes the same files: long enough to see that a
# requeued job's first attempt is dead, and no longer, because a GPU may stand idle.
_WAIT_S = 600.0
# Texts of a full disk in the errors of libraries; the last is NumPy's, which has no error code.
_NO_ROOM = (
    *map(os.strerror, (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)),
    "Not enough free space to write",
)


@contextlib.contextmanager
def recorded_job(
    snakemake: Any, *, wait: float = _WAIT_S, judging: bool = False, **settings: Any
) -> Iterator[dict[str, Any]]:
    """Run the body of a script; yields a dict to which it adds facts for the provenance record.

    No other job writes the outputs meanwhile; the job of an earlier run, or of a run that shares
    the data folder, is waited for up to `wait` seconds. If it has done the same work, a job that
    resumes ends there. Inputs that are not what their jobs wrote are refused, unless the body
    itself is `judging` them.

    `snakemake.log[0]` receives the log. If the body fails, the log has one sentence for a user's
    mistake or a full disk, and a traceback for other errors. If it succeeds,
    `snakemake.output.provenance` is written. Two facts do not become entries of the record:
    `further_inputs`, files that the job found itself, and `earlier_seconds`, the duration of the
    earlier attempts that it resumed.
    """
    try:
        _log_to(Path(snakemake.log[0]))
    except OSError as error:
        sys.exit(f"fedssl: {describe(error)}; it is the log of {snakemake.rule}")
    with in_storage(snakemake), reserved_gpus(snakemake.resources.get("gpu", 0)):
        started = datetime.now(UTC)
        _say_where(snakemake)
        facts: dict[str, Any] = {}
        begun = False
        try:
            with _only_attempt(snakemake, wait=wait):
                begun = True
                _remove_leftovers(snakemake.output)
                # Before the body runs: it can take hours, and the checkout may be edited meanwhile.
                names = snakemake.params.sources
                code = code_facts([_source(name, snakemake.scriptdir) for name in names])
                inputs = Inputs(snakemake.input, judged=judging)
                if _is_made(snakemake, settings, inputs, code):
                    _log.info("another job has made this meanwhile")
                    sys.exit(0)
                yield facts
                found = inputs.digests(facts.pop("further_inputs", ()))
                _write_record(snakemake, settings, found, code=code, started=started, facts=facts)
        except UserError as error:
            _say_mistake(error, begun=begun)
            sys.exit(f"fedssl: {error}")
        except Exception as error:
            sys.exit(f"fedssl: {_unexpected(error, snakemake)}")


def _say_mistake(error: UserError, *, begun: bool) -> None:
    """Log an error, and whether another attempt would meet it again."""
    _log.error("%s", error)
    # Another job that still writes here ends, and more memory may be granted.
    if begun and not isinstance(error, OutOfMemory | LostLease):
        _log.info(FINAL)


def _unexpected(error: Exception, snakemake: Any) -> str:
    """Log an error, with its traceback unless a file is the cause; return it in a sentence."""
    if said := _no_room(error, snakemake.output[0]) or _in_the_way(error):
        _log.error("%s", said)
        return said
    _log.exception("rule %s failed", snakemake.rule)
    return f"{describe(error)}; the traceback is in {snakemake.log[0]}"


def _only_attempt(snakemake: Any, *, wait: float) -> contextlib.AbstractContextManager[None]:
    """Let only this job write its outputs, and to its state folder if it resumes."""
    record, state = snakemake.output.provenance, getattr(snakemake.params, "state", None)
    return only_attempt(record, state=state, wait=wait)


def _is_made(
    snakemake: Any, settings: Mapping[str, Any], inputs: Inputs, code: Mapping[str, Any]
) -> bool:
    """Return whether the job that this one waited for has done the same work."""
    # Only jobs that resume take so long that it matters.
    return hasattr(snakemake.params, "state") and is_made(
        snakemake.output.provenance,
        task=_task(snakemake, settings) | {"code": code["code"]},
        inputs=inputs.found,
        outputs=_outputs(snakemake),
    )


def _task(snakemake: Any, settings: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "rule": own_rule_name(snakemake.rule),
        "wildcards": dict(snakemake.wildcards.items()),
        "settings": settings,
    }


def _outputs(snakemake: Any) -> list[str]:
    return [name for name in snakemake.output if name != snakemake.output.provenance]


def _remove_leftovers(outputs: Iterable[str]) -> None:
    """Remove the temporary files of an attempt that was killed while it wrote an output."""
    for output in map(Path, outputs):
        for file in remove_temporary_files(output.parent, of=output.name):
            _log.info("removed %s, which a killed attempt left", file)


def _write_record(
    snakemake: Any,
    settings: Mapping[str, Any],
    inputs: Mapping[str, str],
    *,
    code: Mapping[str, Any],
    started: datetime,
    facts: dict[str, Any],
) -> None:
    write_provenance(
        snakemake.output.provenance,
        **_task(snakemake, settings),
        inputs=inputs,
        outputs=_outputs(snakemake),
        code=code,
        started=started,
        earlier_seconds=facts.pop("earlier_seconds", 0.0),
        facts=facts,
    )


def _say_where(snakemake: Any) -> None:
    """Log the rule, its wildcards, the host and the device."""
    wildcards = " ".join(f"{name}={value}" for name, value in snakemake.wildcards.items())
    gpu, threads = gpu_name(), snakemake.threads
    _log.info(
        "%s %s on %s, %s, %d thread%s",
        *(snakemake.rule, wildcards, platform.node(), gpu or "CPU", threads, "s"[: threads != 1]),
    )
    if snakemake.resources.get("gpu") and "torch" in sys.modules and gpu is None:
        _log.warning(
            "the job was given a GPU, but torch %s finds none, so it runs on the CPU; check "
            "whether the driver is too old, or torch was built without CUDA",
            sys.modules["torch"].__version__,
        )


def _no_room(error: Exception, output: str) -> str | None:
    """Return a message for a full disk, quota or size limit; None for another error."""
    reason = next((words for words in _NO_ROOM if words in str(error)), None)
    return reason and (
        f"{getattr(error, 'filename', None) or output} cannot be written ({reason}): make room "
        "there, or set results_dir (data_dir for archives) to another disk, and run again; "
        "pretraining, fine-tuning, scoring of rounds, banks and downloads of clips continue where "
        "they stopped."
    )


def _in_the_way(error: Exception) -> str | None:
    """Return a message for a file where a folder belongs, or the reverse; None for other errors."""
    kinds = (FileExistsError, IsADirectoryError, NotADirectoryError)
    if not isinstance(error, kinds) or not error.filename:
        return None
    return (
        f"{error.filename} cannot be used ({error.strerror}), because something else is in its "
        "place or above it: remove that, and run again."
    )


def _log_to(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logging.captureWarnings(True)
    warnings.simplefilter("default")


def _source(name: str, scripts: str) -> Path:
    """Return the file of a key in `sources`: the rule's script or a module of the package."""
    return Path(scripts) / name if name.endswith(".py") else module_path(name)
