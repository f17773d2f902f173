"""Where results lie: the one place that knows the results tree's file names.

A rule's patterns come from the same functions: `ResultPaths("<results>").model(Cell.pattern())`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from fedssl.grid.cell import Cell

# One evaluation job writes these; they need nothing but features.
FEATURE_PROTOCOLS = ("knn", "linear-probe", "retrieval")
# A job that scores kept rounds writes these; `chosen-round` is the number of the best one.
ROUND_PROTOCOLS = ("best-round", "held-out-round", "chosen-round")
# The provenance record of a job that has its output folder to itself.
RECORD = "provenance.json"
FINAL = "final"  # the checkpoint after the last round; others are named round{r}


def from_here(path: Path) -> Path:
    """Return a path as the working directory names it, if it lies below: both may move."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def record_of(output: str | Path) -> str:
    """Return the record of an output whose folder others share: x.csv -> x.provenance.json."""
    return str(Path(output).with_suffix(f".{RECORD}"))


def archive_record(archive: str | Path) -> str:
    """Return the record of an archive, whose name stays whole: x.zip -> x.zip.provenance.json."""
    return f"{archive}.{RECORD}"


def folder_record(output: str | Path) -> str:
    """Return the record of an output whose job has the folder to itself."""
    return str(Path(output).with_name(RECORD))


def protocol_files(folder: str, protocols: Iterable[str], *, suffix: str) -> list[str]:
    """Return a file per protocol: a metric's suffix is .json, that of its samples .parquet."""
    return [f"{folder}/{protocol}{suffix}" for protocol in protocols]


@dataclass(frozen=True)
class ResultPaths:
    """Paths below one results folder."""

    results: str

    def cells(self) -> str:
        """The list of all cells with their status."""
        return f"{self.results}/cells.csv"

    def pretrained(self, cell: Cell) -> str:
        """The folder that a cell's pretraining writes to."""
        return f"{self.results}/pretrain/{cell.path}"

    def model(self, cell: Cell) -> str:
        """The final model of a cell, which is also the path that reruns it."""
        return f"{self.pretrained(cell)}/model.safetensors"

    def rounds(self, cell: Cell) -> str:
        """The history of a cell's rounds."""
        return f"{self.pretrained(cell)}/rounds.csv"

    def provenance(self, cell: Cell) -> str:
        """The record of a cell's pretraining."""
        return f"{self.pretrained(cell)}/{RECORD}"

    def milestones(self, cell: Cell) -> str:
        """The folder of the models after the rounds that a cell keeps."""
        return f"{self.pretrained(cell)}/milestones"

    def best(self, cell: Cell, task: str) -> str:
        """The model of a cell's best round on a task."""
        return f"{self.pretrained(cell)}/best/{task}.safetensors"

    def checkpoint(self, cell: Cell, name: str) -> str:
        """The final model, or the milestone `round{r}`."""
        return self.model(cell) if name == FINAL else f"{self.milestones(cell)}/{name}.safetensors"

    def pretrain_log(self, cell: Cell) -> str:
        """The log of a cell's pretraining, of its last attempt."""
        return f"{self.results}/logs/pretrain/{cell.path}.log"

    def map_points(self, cell: Cell, checkpoint: str) -> str:
        """The map of a checkpoint, a row a sample."""
        return f"{self.results}/maps/{cell.path}/{checkpoint}.parquet"

    def map_summary(self, cell: Cell, checkpoint: str) -> str:
        """The silhouettes of a checkpoint's map."""
        return f"{self.results}/maps/{cell.path}/{checkpoint}.json"

    def scores(self, cell: Cell, task: str) -> str:
        """The folder of a cell's scores on a task."""
        return f"{self.results}/evaluate/{cell.path}/{task}"

    def random_init_scores(self, cell: Cell, task: str) -> str:
        """The folder of the same scores of the random encoder of a cell's arch, variant, seed."""
        return f"{self.results}/evaluate/{cell.random_init_path}/{task}"

    def metric(self, cell: Cell, task: str, protocol: str) -> str:
        """The metric of a cell on a task."""
        if protocol == "chosen-round":
            protocol = "best-round"
        return f"{self.scores(cell, task)}/{protocol}.json"

    def random_init_metric(self, cell: Cell, task: str, protocol: str) -> str:
        """The metric of the random encoder of a cell's arch, variant and seed."""
        return f"{self.random_init_scores(cell, task)}/{protocol}.json"

    def round_scores(self, cell: Cell, task: str) -> str:
        """The scores of a cell's kept rounds on a task."""
        return f"{self.scores(cell, task)}/rounds.csv"

    def table(self, name: str) -> str:
        """The CSV of a table, or of the numbers behind a figure."""
        return f"{self.results}/tables/{name}.csv"

    def table_seeds(self, name: str) -> str:
        """What each seed measured of a table's numbers."""
        return f"{self.results}/tables/{name}.seeds.json"

    def state(self, stage: str, key: str) -> str:
        """The folder of what an unfinished job has done so far."""
        return f"{self.results}/state/{stage}/{key}"

    def shards(self, dataset: str, sharding: str, seed: int | str) -> str:
        """The shards of a dataset, shared by all cells of a seed."""
        return f"{self.results}/shards/{dataset}/{sharding}/seed{seed}.json"

    def bank(self, dataset: str) -> str:
        """The description of a dataset's bank; its arrays lie in the same folder."""
        return f"{self.results}/banks/{dataset}/bank.json"

    def bank_file(self, dataset: str, name: str) -> str:
        """An array or table of a dataset's bank."""
        return str(Path(self.bank(dataset)).with_name(name))

    def normalisation(self, study: str, dataset: str) -> str:
        """The spectrogram statistics of a study's audio pretraining set."""
        return f"{self.results}/normalisation/{study}/{dataset}.json"
