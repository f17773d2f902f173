"""Plan the rules that obtain archives and build banks: inputs, settings and source digests."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from fedssl.data.banks.settings import OwnFiles
from fedssl.data.fetch.manual_files import files_fingerprint
from fedssl.data.own.dataset_entry import is_own, source
from fedssl.data.own.listing import find_files, listing_digest
from fedssl.errors import UserError
from fedssl.files import digest
from fedssl.grid.configuration import Key, closest, sort_keys
from fedssl.grid.origins import sentence
from fedssl.grid.paths import archive_record
from fedssl.grid.plan import Plan, Wildcards
from fedssl.grid.snakemake_api import ancient, local
from fedssl.record.read import read_record
from fedssl.record.sources import is_module, source_digests
from fedssl.typed import typed


def check_datasets(plan: Plan) -> None:
    """Raise UserError for a dataset without a reader, or with an archive or split of no dataset."""
    for name, entry in plan.config["datasets"].items():
        if not is_own(entry):
            for key, text in _mistakes(name, entry, plan.config["datasets"]):
                raise UserError(sentence(key, text, plan.layers))


def archive_files(plan: Plan) -> list[str]:
    """Return the file names of all archives, each from the dataset that owns it."""
    return [
        archive["file"]
        for dataset in plan.config["datasets"]
        for owner, archive in _archives(plan, dataset).values()
        if owner == dataset
    ]


def datasets_of(plan: Plan, *, modality: str) -> list[str]:
    """Return the datasets of a modality."""
    entries = plan.config["datasets"].items()
    return [name for name, entry in entries if entry["modality"] == modality]


def archived_datasets(plan: Plan, *, synthetic: bool) -> list[str]:
    """Return the datasets whose archives are generated, or those whose archives are acquired."""
    return [
        name
        for name, entry in plan.config["datasets"].items()
        if entry["archives"] and _is_made_up(plan, name) == synthetic
    ]


def download_settings(plan: Plan, _: Wildcards) -> dict[str, Any]:
    """Return the settings of the rule that downloads clips."""
    settings = plan.config["downloads"]
    return dict(sort_keys({key: settings[key] for key in settings if key != "datasets"}))


def archive_content(plan: Plan, wildcards: Wildcards) -> dict[str, Any]:
    """Return what identifies an archive."""
    # Addresses and notes are left out, so that changing them does not fetch the archive again.
    archive = _archives(plan, wildcards.dataset)[archive_key(plan, wildcards)][1]
    return {key: archive[key] for key in ("checksum", "file", "size")}


def archive_key(plan: Plan, wildcards: Wildcards) -> str:
    """Return the key of an archive in the entry of its dataset."""
    archives = _archives(plan, wildcards.dataset).items()
    return next(key for key, (_, archive) in archives if archive["file"] == wildcards.file)


def dataset_counts(plan: Plan, wildcards: Wildcards) -> dict[str, Any]:
    """Return the numbers of classes and of items per split."""
    entry = plan.config["datasets"][wildcards.dataset]
    return dict(sort_keys({key: entry[key] for key in ("classes", "splits")}))


def bank_inputs(plan: Plan, wildcards: Wildcards) -> dict[str, str]:
    """Return archive key -> path; for a user's own files, "folder" or "table" -> path.

    Most paths are marked as `ancient`: the settings of the bank contain checksums or a listing of
    the files, so their age does not matter.
    """
    entry = plan.config["datasets"][wildcards.dataset]
    if is_own(entry):
        kind, path = source(entry)
        # A user's files are not in a storage.
        return {kind: ancient(local(str(path)))}
    found = {}
    for key, (owner, archive) in _archives(plan, wildcards.dataset).items():
        file = _archive_path(plan, owner, archive)
        found[key] = ancient(file) if _is_settled(file, archive) else file
    return found


def bank_contents(plan: Plan, wildcards: Wildcards) -> dict[str, Any]:
    """Return the settings of the rule that builds a bank: its contents, and its archives."""
    entry = plan.config["datasets"][wildcards.dataset]
    held = {"max_bad_share": entry["max_bad_share"], **dataset_counts(plan, wildcards)}
    if entry.get("unverified"):
        held["unverified"] = entry["unverified"]
    if recordings := _recordings(plan, wildcards.dataset):
        held["recordings"] = recordings
    return {**_read(plan, wildcards.dataset), **held}


def bank_sources(plan: Plan, wildcards: Wildcards) -> dict[str, str]:
    """Return the source digests of a bank: the writer, and the dataset's reader if it has one."""
    script = plan.scripts / "bank.py"
    if is_own(plan.config["datasets"][wildcards.dataset]):
        return source_digests(script, "fedssl.data.own.read")
    reader = f"fedssl.data.readers.{wildcards.dataset.replace('-', '_')}"
    return source_digests(script, *filter(is_module, [reader]))


def bank_state(plan: Plan, wildcards: Wildcards) -> str:
    """Return the folder of a partial bank, from which a killed job is resumed."""
    # The folder depends on code and settings, so that a job never resumes the work of others.
    key = digest([bank_sources(plan, wildcards), _read(plan, wildcards.dataset)])
    return plan.paths.state("bank", f"{wildcards.dataset}/{key[:16]}")


def statistics_settings(plan: Plan, wildcards: Wildcards) -> dict[str, Any]:
    """Return the settings of the spectrogram statistics."""
    audio = dict(plan.grid.study_settings(wildcards.study)["audio"])
    return {"audio": audio, "portable": plan.config["portable"]}


def _mistakes(
    name: str, entry: Mapping[str, Any], datasets: Mapping[str, Any]
) -> Iterator[tuple[Key, str]]:
    key = ("datasets", name)
    if not is_module(f"fedssl.data.readers.{name.replace('-', '_')}"):
        others = [other for other in datasets if other != name]
        text = f"has archives and no reader{closest(name, others)}; add a module of this name to"
        yield key, f"{text} src/fedssl/data/readers, or give your own files with folder or table"
    for archive, declared in entry["archives"].items():
        owner = declared.get("from", name)
        if "file" not in datasets.get(owner, {}).get("archives", {}).get(archive, {}):
            text = f"is {owner!r}{closest(owner, datasets)}; it must name a dataset with archive"
            yield (*key, "archives", archive, "from"), f"{text} {archive!r}"
    known = ("classes", *entry["splits"])
    for place, counted in enumerate(entry.get("unverified", ())):
        if counted not in known:
            text = f"is {counted!r}{closest(counted, known)}; it must be one of {', '.join(known)}"
            yield (*key, "unverified", place), text


def _is_made_up(plan: Plan, dataset: str) -> bool:
    return bool(plan.config["datasets"][dataset].get("synthetic", False))


def _archive_path(plan: Plan, owner: str, archive: Mapping[str, Any]) -> str:
    return f"{plan.config['data_dir']}/archives/{owner}/{archive['file']}"


def _read(plan: Plan, dataset: str) -> dict[str, Any]:
    """Return the settings that decide which members a bank reads."""
    entry = plan.config["datasets"][dataset]
    stored = _stored(entry, where=f"datasets.{dataset}.dtype")
    if is_own(entry):
        return {"own": _own(entry), **stored}
    archives = sorted(_archives(plan, dataset).items())
    checksums = {
        key: None if _is_made_up(plan, owner) else archive["checksum"]
        for key, (owner, archive) in archives
    }
    return {"archives": checksums, **stored}


def _stored(entry: Mapping[str, Any], *, where: str) -> dict[str, str]:
    """Return the type of the samples in a bank, unless it is the usual one."""
    dtype = entry.get("dtype")
    if dtype is not None and entry["modality"] != "audio" and not is_own(entry):
        raise UserError(f"{where} is {dtype!r}; only a dataset of sound has it, so remove it.")
    # The usual one is left out: a bank of an earlier version has it, too.
    return {"dtype": dtype} if dtype not in (None, "int16") else {}


def _recordings(plan: Plan, dataset: str) -> dict[str, str | None]:
    """Return archive key -> fingerprint of the recordings that a user's list names."""
    # The list itself may stay the same when a recording changes.
    return {
        key: _files_fingerprint(Path(_archive_path(plan, owner, archive)))
        for key, (owner, archive) in sorted(_archives(plan, dataset).items())
        if _is_list(archive) and not _is_made_up(plan, owner)
    }


def _archives(plan: Plan, dataset: str) -> dict[str, tuple[str, Mapping[str, Any]]]:
    """Return key -> (owner, archive); the owner is the dataset that declares the archive."""
    datasets = plan.config["datasets"]
    found = {}
    for key, entry in datasets[dataset]["archives"].items():
        owner = entry.get("from", dataset)
        found[key] = (owner, datasets[owner]["archives"][key])
    return found


def _is_settled(path: str, archive: Mapping[str, Any]) -> bool:
    """Return whether an archive was acquired with the checksum that is declared now."""
    # Only such an archive may be `ancient`. If a job of the same run updates an ancient file,
    # Snakemake 9.27 plans no job that depends on it, even if its output is missing.
    file = Path(archive_record(path))
    if _is_list(archive) or not file.is_file():
        return False
    record = read_record(file, file.parent)
    recorded = record.rule, record.settings.get("checksum", "none recorded")
    return recorded == ("acquire", archive["checksum"])


def _is_list(archive: Mapping[str, Any]) -> bool:
    """Return whether an archive is a list of recordings that users write themselves."""
    return archive["checksum"] is None and not archive["urls"]


def _files_fingerprint(path: Path) -> str | None:
    """Return the fingerprint of the listed files, or None if they cannot be read."""
    # Do not fail while planning: the job gives a better message about a missing file.
    try:
        return files_fingerprint(path)
    except (UserError, OSError):
        return None


def _own(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return how a user's own files are read, and a digest that changes with any of the files."""
    kind, path = source(entry)
    modality = entry["modality"]
    own = {"kind": kind, "modality": modality, "max_megabytes": entry["max_megabytes"]}
    if kind == "folder":
        own["test_share"] = entry["test_share"]
    limits = {"image": ("size", "bits", "max_megapixels"), "audio": ("max_minutes",)}
    own |= {key: entry[key] for key in limits[modality]}
    return dict(
        sort_keys({**own, "listing": listing_digest(find_files(typed(OwnFiles, own), path))})
    )
