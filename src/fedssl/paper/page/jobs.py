"""The jobs behind the numbers: their provenance, in a form short enough for a page."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fedssl.files import read_json
from fedssl.paper.page.pool import Pool
from fedssl.paper.page.shards import shards_summary
from fedssl.paper.products.loss_figure import round_losses

_POOLS = (
    *("folders", "git", "hardware", "inputs", "packages"),
    *("rounds", "settings", "shards", "sources", "steps"),
)
# Facts that a job adds to its record stand in none of these keys.
_RECORDED = {
    *("bytes_down", "bytes_up", "code", "digest", "ended", "git", "hardware", "inputs"),
    *("outputs", "packages", "peak_memory_mb", "python", "rule", "seconds", "settings", "sources"),
    *("started", "wildcards"),
}
# Never stopped, one client after the other: then there is nothing to say.
_USUAL = {"resumed_after_round": 0, "earlier_seconds": 0, "clients_side_by_side": 1}
_DIGITS = 3  # of a loss, in its curve


class Jobs:
    """Every job that a number of the page rests on, each once."""

    def __init__(self) -> None:
        """Start with none."""
        self._jobs: list[dict[str, Any]] = []
        self._places: dict[Path, int] = {}
        self._pools = {name: Pool() for name in _POOLS}

    def step(self, output: str | Path, **facts: Any) -> int:
        """Return the place of a step: a file, the job behind it if known, and the facts given."""
        output = Path(output)
        path = [self._place("folders", str(output.parent)), output.name]
        return self._place("steps", {"path": path, "job": self._job_of(output), **facts})

    def as_data(self) -> dict[str, Any]:
        """Return the jobs, and what they share under the names of their keys."""
        return {"jobs": self._jobs, **{name: pool.items for name, pool in self._pools.items()}}

    def _job_of(self, output: Path) -> int | None:
        record = find_record(output)
        if record is None:
            return None
        if record not in self._places:
            self._places[record] = len(self._jobs)
            self._jobs.append(self._job(read_json(record)))
        return self._places[record]

    def _job(self, record: dict[str, Any]) -> dict[str, Any]:
        kept = ("rule", "started", "seconds", "digest", "bytes_up", "bytes_down")
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
            "inputs": [self._place("inputs", item) for item in record["inputs"].items()],
            "shards": [
                self._place("shards", shards_summary(path))
                for path in record["inputs"]
                if "/shards/" in path and path.endswith(".json") and Path(path).is_file()
            ],
            "curves": [
                {**curve, "rounds": self._place("rounds", curve["rounds"])}
                for curve in _curves(record["outputs"])
            ],
        }

    def _place(self, pool: str, value: Any) -> int:
        return self._pools[pool].place(value)


def find_record(output: str | Path) -> Path | None:
    """Return the provenance of the job that wrote a file, None where there is none."""
    output = Path(output)
    for record in (output.with_suffix(".provenance.json"), output.with_name("provenance.json")):
        if record.is_file() and str(output) in read_json(record)["outputs"]:
            return record
    return None


def _curves(outputs: dict[str, str]) -> Iterator[dict[str, Any]]:
    """Yield each modality's loss: rounds, and the mean over clients (None where one diverged)."""
    for path in outputs:
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
