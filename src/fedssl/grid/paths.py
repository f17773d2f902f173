"""Paths of all results; no other module knows the file names of the results tree.

The patterns of rules are made by the same functions: `ResultPaths("<results>").model(ANY_CELL)`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from fedssl.grid.cell import Cell

# One evaluation job writes all of these, because they need only features.
FEATURE_PROTOCOLS = ("knn", "linear-probe", "retrieval")
# kNN on features whose batch norm took its statistics from the task's training split.
RECALIBRATED = "knn-recalibrated"
# Written by a job that scores kept rounds; `chosen-round` is the number of the best round.
ROUND_PROTOCOLS = ("best-round", "held-out-round", "chosen-round")
# The provenance record of a job that shares its output folder with no other job.
RECORD = "provenance.json"
FINAL = "final"  # name of the checkpoint after the last round; others are named round{r}


def from_here(path: Path) -> Path:
    """Return a path relative to the working directory if it is below, so that both can move."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def record_of(output: str | Path) -> str:
    """Return the record of an output in a shared folder: x.csv -> x.provenance.json."""
    return str(Path(output).with_suffix(f".{RECORD}"))


def samples_of(metric: str | Path) -> str:
    """Return the file with a score file's predictions for single samples."""
    return str(Path(metric).with_suffix(".parquet"))


def archive_record(archive: str | Path) -> str:
    """Return the record of an archive: x.zip -> x.zip.provenance.json."""
    return f"{archive}.{RECORD}"


def folder_record(output: str | Path) -> str:
    """Return the record of an output whose folder belongs to one job."""
    return str(Path(output).with_name(RECORD))


def protocol_files(folder: str, protocols: Iterable[str], *, suffix: str) -> list[str]:
    """Return one file per protocol; `suffix` is .json for metrics and .parquet for samples."""
    return [f"{folder}/{protocol}{suffix}" for protocol in protocols]


@dataclass(frozen=True)
class ResultPaths:
    """The paths below one results folder."""

    results: str

    def cells(self) -> str:
        """Return the list of all cells with their status."""
        return f"{self.results}/cells.csv"

    def pretrained(self, cell: Cell) -> str:
        """Return the folder of a cell's pretraining."""
        return f"{self.results}/pretrain/{cell.path}"

    def model(self, cell: Cell) -> str:
        """Return the final model of a cell; `snakemake --force` with this path reruns the cell."""
        return f"{self.pretrained(cell)}/model.safetensors"

    def rounds(self, cell: Cell) -> str:
        """Return the history of a cell's rounds."""
        return f"{self.pretrained(cell)}/rounds.csv"

    def provenance(self, cell: Cell) -> str:
        """Return the provenance record of a cell's pretraining."""
        return f"{self.pretrained(cell)}/{RECORD}"

    def milestones(self, cell: Cell) -> str:
        """Return the folder of the models of the rounds that a cell keeps."""
        return f"{self.pretrained(cell)}/milestones"

    def best(self, cell: Cell, task: str) -> str:
        """Return the model of a cell's best round on a task."""
        return f"{self.pretrained(cell)}/best/{task}.safetensors"

    def checkpoint(self, cell: Cell, name: str) -> str:
        """Return the final model, or the milestone `round{r}`."""
        return self.model(cell) if name == FINAL else f"{self.milestones(cell)}/{name}.safetensors"

    def pretrain_log(self, cell: Cell) -> str:
        """Return the log of the last attempt of a cell's pretraining."""
        return f"{self.results}/logs/pretrain/{cell.path}.log"

    def map_points(self, cell: Cell, checkpoint: str) -> str:
        """Return the map of a checkpoint, with one row per sample."""
        return f"{self.results}/maps/{cell.path}/{checkpoint}.parquet"

    def map_summary(self, cell: Cell, checkpoint: str) -> str:
        """Return the silhouettes of a checkpoint's map."""
        return f"{self.results}/maps/{cell.path}/{checkpoint}.json"

    def scores(self, cell: Cell, task: str) -> str:
        """Return the folder of a cell's scores on a task."""
        return f"{self.results}/evaluate/{cell.path}/{task}"

    def random_init_scores(self, cell: Cell, task: str) -> str:
        """Return the folder of the scores of a cell's random encoder on a task."""
        return f"{self.results}/evaluate/{cell.random_init_path}/{task}"

    def metric(self, cell: Cell, task: str, protocol: str) -> str:
        """Return the metric of a cell on a task."""
        # The number of the chosen round is stored with the score of the best round.
        if protocol == "chosen-round":
            protocol = "best-round"
        return f"{self.scores(cell, task)}/{protocol}.json"

    def random_init_metric(self, cell: Cell, task: str, protocol: str) -> str:
        """Return the metric of a cell's random encoder on a task."""
        return f"{self.random_init_scores(cell, task)}/{protocol}.json"

    def round_scores(self, cell: Cell, task: str) -> str:
        """Return the scores of a cell's kept rounds on a task."""
        return f"{self.scores(cell, task)}/rounds.csv"

    def table(self, name: str) -> str:
        """Return the CSV of a table, or of the numbers behind a figure."""
        return f"{self.results}/tables/{name}.csv"

    def state(self, stage: str, key: str) -> str:
        """Return the folder in which an unfinished job keeps its progress."""
        return f"{self.results}/state/{stage}/{key}"

    def rehearsed(self, stage: str, cell: Cell, task: str = "") -> str:
        """Return the rates that were measured for a cell's kind of job, on a task if it has one."""
        name = f"{cell.path}/{task}" if task else cell.path
        return f"{self.results}/rehearsal/{stage}/{name}.json"

    def rehearsal(self) -> str:
        """Return the table of all rates that were measured."""
        return f"{self.results}/rehearsal.csv"

    def shards(self, dataset: str, sharding: str, seed: int | str) -> str:
        """Return the shards of a dataset, which all cells of a seed share."""
        return f"{self.results}/shards/{dataset}/{sharding}/seed{seed}.json"

    def bank(self, dataset: str) -> str:
        """Return the description of a dataset's bank; its arrays are in the same folder."""
        return self.bank_file(dataset, "bank.json")

    def bank_file(self, dataset: str, name: str) -> str:
        """Return an array or table of a dataset's bank."""
        return f"{self.results}/banks/{dataset}/{name}"

    def examples(self, dataset: str) -> str:
        """Return the few samples of a dataset that the report page shows."""
        return f"{self.results}/examples/{dataset}.json"

    def normalisation(self, study: str, dataset: str) -> str:
        """Return the spectrogram statistics of a study's audio pretraining set."""
        return f"{self.results}/normalisation/{study}/{dataset}.json"
