"""Inputs and parameters of the rules that fetch archives and fill banks."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from snakemake.io import ancient

from fedssl.experiments import Grid, sort_keys
from fedssl.sources import is_module, source_digests

Wildcards = Any


class DataRules:
    """Archives and banks, as the datasets file declares them."""

    def __init__(self, grid: Grid, scripts: Path) -> None:
        """Index the archives by their file names."""
        self._grid = grid
        self._scripts = scripts
        self._datasets: Mapping[str, Any] = grid.config["datasets"]
        self.files = {
            entry["file"]: key
            for dataset in self._datasets.values()
            for key, entry in dataset["archives"].items()
        }

    def names(self, *, modality: str) -> list[str]:
        """Return the datasets of a modality."""
        return [n for n, entry in self._datasets.items() if entry["modality"] == modality]

    def made_up(self, *, synthetic: bool) -> list[str]:
        """Return the datasets that the workflow makes up itself, or those that it does not."""
        found = self._datasets.items()
        return [name for name, entry in found if entry.get("synthetic", False) == synthetic]

    def archive(self, wildcards: Wildcards) -> dict[str, Any]:
        """Return what the datasets file says of one archive."""
        return dict(self._datasets[wildcards.dataset]["archives"][self.key(wildcards)])

    def key(self, wildcards: Wildcards) -> str:
        """Return the key of an archive in its dataset's entry."""
        return str(self.files[wildcards.file])

    def access(self, wildcards: Wildcards) -> str | None:
        """Return how to get a restricted archive by hand, or None."""
        note: str | None = self._datasets[wildcards.dataset]["access"]
        return note

    def archives(self, wildcards: Wildcards) -> dict[str, str]:
        """Return the archives of a dataset by their keys: their checksums count, not their age."""
        folder = f"{self._grid.config['data_dir']}/archives/{wildcards.dataset}"
        archives = self._datasets[wildcards.dataset]["archives"]
        return {key: ancient(f"{folder}/{entry['file']}") for key, entry in archives.items()}

    def contents(self, wildcards: Wildcards) -> dict[str, Any]:
        """Return what a bank must hold, and the checksums of what it is read from."""
        entry = self._datasets[wildcards.dataset]
        archives = sorted(entry["archives"].items())
        checksums = {key: archive["checksum"] for key, archive in archives}
        share = entry["max_bad_share"]
        return {"archives": checksums, "max_bad_share": share, **self.plan(wildcards)}

    def plan(self, wildcards: Wildcards) -> dict[str, Any]:
        """Return a dataset's classes and items per split, which is what the generator makes."""
        entry = self._datasets[wildcards.dataset]
        return dict(sort_keys({key: entry[key] for key in ("classes", "splits")}))

    def bank_sources(self, wildcards: Wildcards) -> dict[str, str]:
        """Return the code behind a bank: the writer and the dataset's reader, if it has one."""
        reader = f"fedssl.data.readers.{wildcards.dataset.replace('-', '_')}"
        return source_digests(self._scripts / "bank.py", *filter(is_module, [reader]))

    def audio(self, wildcards: Wildcards) -> dict[str, Any]:
        """Return how a study turns sound into log-mel images."""
        return dict(self._grid.study_settings(wildcards.study)["audio"])
