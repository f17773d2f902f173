"""Collect the jobs behind the numbers, with provenance in a short form for the page."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fedssl.grid.paths import RECORD
from fedssl.paper.page.links import Links
from fedssl.paper.page.shards import shards_summary
from fedssl.paper.products.loss_figure import round_losses
from fedssl.record.read import Record, read_record, record_behind

_POOLS = (
    *("folders", "git", "hardware", "inputs", "packages"),
    *("rounds", "settings", "shards", "sources", "steps"),
)
# The keys of every record. Any other key is a fact that the job added.
_RECORDED = {
    *("bytes_down", "bytes_up", "code", "digest", "ended", "git", "hardware", "inputs"),
    *("outputs", "packages", "peak_memory_mb", "python", "rule", "seconds", "settings", "sources"),
    *("sizes", "started", "wildcards"),
    *("client_memory_bytes", "server_memory_bytes"),  # in the communication table
}
# Facts of a job that was never interrupted and trained one client at a time; they are not shown.
_USUAL = {"resumed_after_round": 0, "earlier_seconds": 0, "clients_side_by_side": 1}
_DIGITS = 3  # of the losses in a curve


class Pool:
    """Distinct JSON values in order of their first use.

    Hundreds of jobs share settings, sources and inputs. The page stores each value once and refers
    to it by its position.
    """

    def __init__(self) -> None:
        """Start empty."""
        self.items: list[Any] = []
        self._places: dict[str, int] = {}

    def place(self, value: Any) -> int:
        """Return the position of a value, and add the value if it is new."""
        key = json.dumps(value, sort_keys=True)
        if key not in self._places:
            self._places[key] = len(self.items)
            self.items.append(value)
        return self._places[key]


class Jobs:
    """The jobs behind the numbers of the page, each once."""

    def __init__(self, links: Links) -> None:
        """Start empty. `links` finds the files of the run from the page."""
        self._links = links
        self._jobs: list[dict[str, Any]] = []
        self._places: dict[Path, int] = {}
        self._records: dict[Path, Record | None] = {}
        self._pools = {name: Pool() for name in _POOLS}

    def step(self, output: str | Path, **facts: Any) -> int:
        """Return the position of a step: an output, its job, links to its files, and the facts.

        The job is None if no record of it is found.
        """
        output = Path(output)
        path = [self._place("folders", str(output.parent)), output.name]
        record = self.record(output)
        step = {"path": path, "job": None, **facts}
        if record:
            step["job"] = self._job_of(record)
            step["files"] = self._links.beside(output, rule=record.rule, record=record.path)
        return self._place("steps", step)

    def record(self, output: str | Path) -> Record | None:
        """Return the record of the job that wrote a file, or None if there is none."""
        output = Path(output)
        if output not in self._records:
            # A job of several outputs in a shared folder names its record after one of them.
            places = (read_record(path, path.parent) for path in output.parent.glob(f"*.{RECORD}"))
            found = (place for place in places if str(output) in place.content.get("outputs", ()))
            self._records[output] = record_behind(output) or next(found, None)
        return self._records[output]

    def as_data(self) -> dict[str, Any]:
        """Return the jobs under the key `jobs`, and each pool under its name."""
        return {"jobs": self._jobs, **{name: pool.items for name, pool in self._pools.items()}}

    def _job_of(self, record: Record) -> int:
        if record.path not in self._places:
            self._places[record.path] = len(self._jobs)
            self._jobs.append(self._job(record.content))
        return self._places[record.path]

    def _job(self, record: dict[str, Any]) -> dict[str, Any]:
        kept = ("rule", "started", "seconds", "digest", "bytes_up", "bytes_down")
        # Without the seed, the jobs of all seeds share one entry of settings.
        settings = {key: value for key, value in record["settings"].items() if key != "seed"}
        packages = {"python": record["python"], **record["packages"]}
        return {
            **{name: record[name] for name in kept if name in record},
            "memory": record["peak_memory_mb"],
            "facts": {
                name: record[name]
                for name in record
                if name not in _RECORDED and record[name] != _USUAL.get(name)
            },
            "seed": record["settings"].get("seed"),
            "settings": self._place("settings", settings),
            "git": self._place("git", record["git"]),
            "packages": self._place("packages", packages),
            "hardware": self._place("hardware", record["hardware"]),
            "sources": self._place("sources", record["sources"]),
            "inputs": [
                self._place("inputs", (*item, self._links.to(item[0])))
                for item in record["inputs"].items()
            ],
            # A copy of the results may lack the shards that its records name.
            "shards": [
                self._place("shards", shards_summary(path))
                for path in record["inputs"]
                if "/shards/" in path and path.endswith(".json") and Path(path).is_file()
            ],
            "curves": [
                {**curve, "rounds": self._place("rounds", curve["rounds"])}
                for curve in _curves(record)
            ],
        }

    def _place(self, pool: str, value: Any) -> int:
        return self._pools[pool].place(value)


def _curves(record: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the rounds and losses of each modality; a loss is None if a client diverged."""
    # The scores of rounds are in a file of the same name.
    if not record["rule"].startswith("pretrain"):
        return
    for path in record["outputs"]:
        if Path(path).name != "rounds.csv" or not Path(path).is_file():
            continue
        for modality, losses in round_losses(path).groupby("modality", sort=False):
            drawn = losses["loss"].notna()
            if drawn.any():
                yield {
                    "modality": modality,
                    "rounds": losses["round"].tolist(),
                    "loss": [
                        float(f"{loss:.{_DIGITS}g}") if known else None
                        for loss, known in zip(losses["loss"], drawn, strict=True)
                    ],
                }
