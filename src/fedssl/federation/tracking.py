"""Send the rounds of a training to TensorBoard, or to a tracker of the user's, such as MLflow.

The setting `track` names the tracker: a function that takes the folder of a cell and the rounds
that an earlier attempt finished, and returns a context manager. This yields a function that takes
the number of a round and its metrics. See docs/how-to/watch-a-training.md.
"""

import contextlib
import logging
import os
import statistics
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path

from fedssl.errors import UserError
from fedssl.federation.history import Row, mean_loss

_log = logging.getLogger(__name__)

Metrics = Mapping[str, float]
Track = Callable[[int, Sequence[Row]], None]
Send = Callable[[int, Metrics], object]
Tracker = Callable[[str, int], contextlib.AbstractContextManager[Send]]


@contextlib.contextmanager
def tracking(cell: str, *, done: int) -> Iterator[Track]:
    """Yield a function that sends a finished round, given its number and its rows.

    A tracker that fails after its start is left out from then on, with a warning in the log: it
    must not cost a training.

    Args:
        cell: folder of the cell's results, which names the run.
        done: rounds that an earlier attempt finished.

    Raises:
        UserError: there is no such tracker.
    """
    name = os.environ.get("FEDSSL_TRACK", "")
    if not name:
        yield lambda number, rows: None
        return
    run = _Run(name, _named(name)(cell, done))
    try:
        yield run.send
    finally:
        run.close()


@contextlib.contextmanager
def tensorboard(cell: str, done: int) -> Iterator[Send]:
    """Write the metrics to event files in `runs/<cell>`, for `tensorboard --logdir runs`."""
    from tensorboardX import SummaryWriter

    # A results folder may lie elsewhere: the files must not leave `runs`.
    below = (part for part in Path(cell).parts if part not in ("..", "/"))
    folder = Path(os.environ.get("FEDSSL_STARTED_IN", ""), "runs", *below)
    # Rounds that an interrupted attempt wrote after its last checkpoint come again.
    with SummaryWriter(str(folder), purge_step=done + 1 if done else None) as writer:

        def send(number: int, metrics: Metrics) -> None:
            for name, value in metrics.items():
                writer.add_scalar(name, value, number)
            writer.flush()

        yield send


def round_metrics(rows: Sequence[Row]) -> dict[str, float]:
    """Return the metrics of a round, from its rows.

    These are the mean loss over samples, of each modality and of all; the standard deviation of
    the clients' losses; the mean and the standard deviation of the L2 norms of their updates; the
    learning rate of the first step; the clients whose update was used; and the seconds of
    training. What no row has is left out.
    """
    used = [row for row in rows if row["loss"] is not None and not row.get("dropped")]
    clients, modalities = ({row[key]: None for row in used} for key in ("client", "modality"))
    found: dict[str, float] = {}
    if used:
        found |= {"loss": mean_loss(used), "learning_rate": used[0]["learning_rate"]}
    found |= {f"loss/{m}": mean_loss([r for r in used if r["modality"] == m]) for m in modalities}
    # Of one loss per client: those of two modalities differ in level.
    found |= _spread("loss", [mean_loss([r for r in used if r["client"] == c]) for c in clients])
    # A centralised training has no updates.
    known = [row for row in used if row.get("update_norm") is not None]
    norms = {row["client"]: row["update_norm"] for row in known}
    if norms:
        found["update_norm"] = statistics.mean(norms.values())
    found |= _spread("update_norm", list(norms.values()))
    return {**found, "clients": len(clients), "seconds": sum(row["seconds"] for row in rows)}


def _spread(name: str, values: Sequence[float]) -> dict[str, float]:
    return {f"{name}_std": statistics.stdev(values)} if len(values) > 1 else {}


class _Run:
    """A started tracker; after its first error it is not called again."""

    def __init__(self, name: str, manager: contextlib.AbstractContextManager[Send]) -> None:
        self._name, self._manager = name, manager
        self._send: Send | None = manager.__enter__()

    def send(self, number: int, rows: Sequence[Row]) -> None:
        """Send the metrics of a round."""
        if self._send is None:
            return
        try:
            self._send(number, round_metrics(rows))
        except Exception as error:
            self._send = None
            _log.warning("the tracker %s failed and is left out: %s", self._name, error)

    def close(self) -> None:
        """End the tracker's run, which sees the error that ended the training, if one did."""
        try:
            self._manager.__exit__(*sys.exc_info())
        except Exception as error:
            _log.warning("the tracker %s failed at its end: %s", self._name, error)


def _named(name: str) -> Tracker:
    """Return the tracker that the setting `track` names."""
    if name == "tensorboard":
        return tensorboard
    module, _, function = name.partition(":")
    try:
        found: Tracker = getattr(import_module(module), function)
    except (ImportError, AttributeError) as error:
        raise UserError(
            f"track is {name}, but {error}; it must be `tensorboard`, or `<module>:<function>` of "
            "a module that PYTHONPATH has"
        ) from error
    return found
