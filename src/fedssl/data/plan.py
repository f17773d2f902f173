"""Inputs and parameters of the rules that fetch archives and fill banks."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from snakemake.io import ancient

from fedssl.data.fetch.manual_files import files_fingerprint
from fedssl.data.own.dataset_entry import is_own, source
from fedssl.data.own.listing import find_files, listing_digest
from fedssl.errors import UserError
from fedssl.files import digest, read_json
from fedssl.grid.cells import Grid
from fedssl.grid.configuration import sort_keys
from fedssl.record.sources import is_module, source_digests

Wildcards = Any


class DataRules:
    """Archives and banks, as the datasets file declares them."""

    def __init__(self, grid: Grid, scripts: Path) -> None:
        """Keep the grid, and list the archives' file names."""
        self._grid = grid
        self._scripts = scripts
        self._datasets: Mapping[str, Any] = grid.config["datasets"]
        self.threads: int = grid.config["banks"]["threads"]
        self.files = [
            archive["file"]
            for dataset in self._datasets
            for owner, archive in self._archives(dataset).values()
            if owner == dataset
        ]

    @property
    def downloaded(self) -> list[str]:
        """The datasets whose members the user has fetched one by one."""
        return list(self._grid.config["downloads"]["datasets"])

    def download_settings(self, _: Wildcards) -> dict[str, Any]:
        """Return where and how to fetch members one by one."""
        settings = self._grid.config["downloads"]
        return dict(sort_keys({key: settings[key] for key in settings if key != "datasets"}))

    def names(self, *, modality: str) -> list[str]:
        """Return the datasets of a modality."""
        return [n for n, entry in self._datasets.items() if entry["modality"] == modality]

    def made_up(self, *, synthetic: bool) -> list[str]:
        """Return the datasets that the workflow makes up itself, or those that it does not."""
        return [
            name
            for name, entry in self._datasets.items()
            if entry["archives"] and self._is_made_up(name) == synthetic
        ]

    def _is_made_up(self, dataset: str) -> bool:
        return bool(self._datasets[dataset].get("synthetic", False))

    def content(self, wildcards: Wildcards) -> dict[str, Any]:
        """Return what an archive must be; a new address or note fetches nothing again."""
        archive = self._archives(wildcards.dataset)[self.key(wildcards)][1]
        return {key: archive[key] for key in ("checksum", "file", "size")}

    def key(self, wildcards: Wildcards) -> str:
        """Return the key of an archive in its dataset's entry."""
        archives = self._archives(wildcards.dataset).items()
        return next(key for key, (_, archive) in archives if archive["file"] == wildcards.file)

    def archives(self, wildcards: Wildcards) -> dict[str, str]:
        """Return the archives of a dataset by their keys: their checksums count, not their age.

        Of the user's own files the folder or csv, whose listing counts.
        """
        entry = self._datasets[wildcards.dataset]
        if is_own(entry):
            kind, path = source(entry)
            return {kind: ancient(str(path))}
        folder = f"{self._grid.config['data_dir']}/archives"
        found = {}
        for key, (owner, archive) in self._archives(wildcards.dataset).items():
            file = f"{folder}/{owner}/{archive['file']}"
            found[key] = ancient(file) if _is_settled(file, archive) else file
        return found

    def contents(self, wildcards: Wildcards) -> dict[str, Any]:
        """Return what a bank must hold, and the checksums of what it is read from."""
        entry = self._datasets[wildcards.dataset]
        held = {"max_bad_share": entry["max_bad_share"], **self.plan(wildcards)}
        if entry.get("unverified"):
            held["unverified"] = entry["unverified"]
        if recordings := self._recordings(wildcards.dataset):
            held["recordings"] = recordings
        return {**self._read(wildcards.dataset), **held}

    def _read(self, dataset: str) -> dict[str, Any]:
        """Return what decides over the members that a bank's job reads; the rest is counted."""
        entry = self._datasets[dataset]
        if is_own(entry):
            return {"own": _own(entry)}
        archives = sorted(self._archives(dataset).items())
        checksums = {
            key: None if self._is_made_up(owner) else archive["checksum"]
            for key, (owner, archive) in archives
        }
        return {"archives": checksums}

    def _recordings(self, dataset: str) -> dict[str, str | None]:
        """Return what the files say that the user's own lists name: a changed one changes it."""
        folder = Path(self._grid.config["data_dir"], "archives")
        return {
            key: _files_fingerprint(folder / owner / archive["file"])
            for key, (owner, archive) in sorted(self._archives(dataset).items())
            if _is_list(archive)
        }

    def plan(self, wildcards: Wildcards) -> dict[str, Any]:
        """Return a dataset's classes and items per split, which is what the generator makes."""
        entry = self._datasets[wildcards.dataset]
        return dict(sort_keys({key: entry[key] for key in ("classes", "splits")}))

    def bank_sources(self, wildcards: Wildcards) -> dict[str, str]:
        """Return the code behind a bank: the writer and the dataset's reader, if it has one."""
        if is_own(self._datasets[wildcards.dataset]):
            return source_digests(self._scripts / "bank.py", "fedssl.data.own.read")
        reader = f"fedssl.data.readers.{wildcards.dataset.replace('-', '_')}"
        return source_digests(self._scripts / "bank.py", *filter(is_module, [reader]))

    def bank_state(self, wildcards: Wildcards) -> str:
        """Return where a killed job keeps what it had read: a folder for one code and settings."""
        results = self._grid.config["results_dir"]
        key = digest([self.bank_sources(wildcards), self._read(wildcards.dataset)])
        return f"{results}/state/bank/{wildcards.dataset}/{key[:16]}"

    def audio(self, wildcards: Wildcards) -> dict[str, Any]:
        """Return how a study turns sound into log-mel images."""
        return dict(self._grid.study_settings(wildcards.study)["audio"])

    def recorded_audio(self, wildcards: Wildcards) -> dict[str, Any]:
        """Return what the record of such statistics says of settings."""
        return {"audio": self.audio(wildcards)}

    def _archives(self, dataset: str) -> dict[str, tuple[str, Mapping[str, Any]]]:
        """Return key -> (owner, archive) of a dataset; some it shares with another that owns it."""
        entries = self._datasets[dataset]["archives"].items()
        found = {}
        for key, entry in entries:
            owner = entry.get("from", dataset)
            archive = self._datasets.get(owner, {}).get("archives", {}).get(key, {})
            if "file" not in archive:
                place = f"datasets.{dataset}.archives.{key}.from"
                raise UserError(
                    f"{place} is {owner!r}; it must name a dataset with archive {key!r}."
                )
            found[key] = (owner, archive)
        return found


def _is_settled(path: str, archive: Mapping[str, Any]) -> bool:
    """Return whether an archive was fetched and is still the one that is wanted.

    Its age then says nothing. What is made, downloaded or fetched anew must not be `ancient`:
    Snakemake 9.27 plans no job behind an ancient file that a job of the same run updates, not
    even those whose output is missing.
    """
    record = Path(f"{path}.provenance.json")
    if _is_list(archive) or not record.is_file():
        return False
    made: dict[str, Any] = read_json(record)
    recorded = made["rule"], made["settings"].get("checksum", "none recorded")
    return recorded == ("acquire", archive["checksum"])


def _is_list(archive: Mapping[str, Any]) -> bool:
    """Return whether an archive is a text that users write, of where their recordings are."""
    return archive["checksum"] is None and not archive["urls"]


def _files_fingerprint(path: Path) -> str | None:
    """Return the fingerprint of supplied files, or None: the job says best what is missing."""
    try:
        return files_fingerprint(path)
    except (UserError, OSError):
        return None


def _own(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return how own files are read, and what their listing says: a changed file changes it."""
    kind, path = source(entry)
    own = {"kind": kind, "modality": entry["modality"]}
    if kind == "folder":
        own["test_share"] = entry["test_share"]
    if entry["modality"] == "image":
        own["size"] = entry["size"]
    return dict(sort_keys({**own, "listing": listing_digest(find_files(own, path))}))
