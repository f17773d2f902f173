"""Recompute accuracies from stored predictions, and tables and claims from their inputs."""

import tempfile
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from math import isclose
from pathlib import Path
from typing import Any

import pandas as pd

from fedssl.audit.chain import Chain
from fedssl.audit.findings import Finding, Note, Verdict
from fedssl.audit.hardware import other_hardware, ran_elsewhere
from fedssl.audit.labels import check_samples
from fedssl.errors import UserError
from fedssl.files import read_json
from fedssl.frames import read_csv, read_parquet
from fedssl.grid.paths import RECORD
from fedssl.paper.claims.claims import write_claims
from fedssl.paper.products.product import FIGURE
from fedssl.paper.products.registry import KINDS, get_product
from fedssl.record.read import Record, is_readable, shown

_METRIC_KEYS = {"value", "n_eval", "predictions", "protocol", "metric"}
# Another version of these packages can change the last digits of a table.
_DECISIVE = ("numpy", "pandas", "scipy")
_DIFFERS = "differs from what its inputs give when it is computed again"
_ELSEWHERE = "; its job ran on other hardware, which can change the last digits"


def recomputed(record: Record, chain: Chain) -> Iterator[Finding | Note]:
    """Yield the numbers of a job that are not reproduced: its accuracies, or its table.

    Jobs without numbers give nothing; their hashes are checked in `chain`.
    """
    for path in record.files("outputs"):
        if path.suffix == ".json" and is_readable(path):
            yield from _readable(_content(path, record, chain), shown(path, chain.root))
    if record.rule == "score_rounds":
        yield from _readable(_rounds(record, chain), record.name)
    if record.rule == "claims" or (record.rule in KINDS and get_product(record.rule).write):
        yield from other_hardware(record, chain)
        yield from _product(record, chain)


def _readable(findings: Iterator[Finding], name: str) -> Iterator[Finding]:
    """Yield findings, and a further one if a file is missing or damaged."""
    try:
        yield from findings
    except (FileNotFoundError, PermissionError) as error:
        yield Finding(Verdict.INCOMPLETE, name, f"needs a file that is not available: {error}")
    except Exception as error:  # a forged file can make any reader fail
        said = error if isinstance(error, UserError) else repr(error)
        yield Finding(Verdict.TAMPERED, name, f"cannot be read: {said}")


def _content(path: Path, record: Record, chain: Chain) -> Iterator[Finding]:
    """Yield the findings on the content of a JSON file: a metric, or a bank's description."""
    content = read_json(path)
    if not isinstance(content, dict):
        return
    if set(content) >= _METRIC_KEYS:
        for problem in _metric(content, path.parent, record=record, chain=chain):
            yield Finding(Verdict.TAMPERED, shown(path, chain.root), problem)
    elif path.name == "bank.json":
        yield from _bank(content, path.parent, record=record, chain=chain)


def _metric(
    metric: Mapping[str, Any], folder: Path, *, record: Record, chain: Chain
) -> Iterator[str]:
    """Yield the differences of a metric from its predictions, and of these from the bank."""
    samples = read_parquet(folder / metric["predictions"])
    yield from _differences(metric, samples, record)
    yield from check_samples(metric, samples, record=record, chain=chain)


def _rounds(record: Record, chain: Chain) -> Iterator[Finding]:
    """Yield the scores of rounds that differ from the stored hits."""
    scores = next(path for path in record.files("outputs") if path.name == "rounds.csv")
    samples = read_parquet(scores.with_suffix(".parquet")).groupby("round")
    for row in read_csv(scores).to_dict("records"):
        hits = samples.get_group(row["round"])[row["metric"].replace("R@", "hit@")]
        found = 100.0 * float(hits.mean())
        if len(hits) != row["n_eval"] or not isclose(found, row["value"], rel_tol=1e-12):
            what = f"says {row['value']} of {row['n_eval']} in round {row['round']}, but the "
            what += f"stored hits give {found} of {len(hits)}"
            yield Finding(Verdict.TAMPERED, shown(scores, chain.root), what)


def _bank(
    facts: Mapping[str, Any], folder: Path, *, record: Record, chain: Chain
) -> Iterator[Finding]:
    """Yield the arrays that differ from bank.json, the only file that later jobs hash."""
    outputs = record.files("outputs")
    for name, file in facts["files"].items():
        if outputs.get(folder / name) != file["sha256"]:
            what = "does not have the hash in bank.json"
            yield Finding(Verdict.TAMPERED, shown(folder / name, chain.root), what)


def _differences(metric: Mapping[str, Any], samples: pd.DataFrame, record: Record) -> Iterator[str]:
    # Not exactly equal: the job may have summed in another order.
    value = _accuracy(metric, samples)
    if value is not None and not isclose(value, metric["value"], rel_tol=1e-12):
        yield f"says {metric['value']}, but the stored predictions give {value}"
    if metric["n_eval"] != len(samples):
        yield f"counts {metric['n_eval']} samples, but {len(samples)} predictions are stored"
    for name, wildcard in record.content.get("wildcards", {}).items():
        if str(metric.get(name, wildcard)) != wildcard:
            yield f"says {name} {metric[name]}, but its job had {name} {wildcard}"


def _accuracy(metric: Mapping[str, Any], samples: pd.DataFrame) -> float | None:
    """Return the accuracy in percent computed from samples; None for another kind of metric."""
    if metric["metric"] == "top-1 accuracy":
        return 100.0 * float((samples["label"] == samples["prediction"]).mean())
    if str(metric["metric"]).startswith("R@"):
        return 100.0 * float(samples[f"hit@{metric['metric'].removeprefix('R@')}"].mean())
    return None


def _product(record: Record, chain: Chain) -> Iterator[Finding | Note]:
    """Yield the files of a table that are not reproduced byte by byte."""
    inputs = record.files("inputs")
    name = record.name.removesuffix(f".{RECORD}")
    unavailable = [path for path, recorded in inputs.items() if not chain.same(path, recorded)]
    if unavailable:
        missing = shown(unavailable[0], chain.root)
        yield Note(name, f"was not recomputed, because its input {missing} has changed")
        return
    with tempfile.TemporaryDirectory() as folder:
        try:
            written = _write_again(record, Path(folder))
            again = {path: _text_of(copy) for path, copy in written.items()}
        except Exception as error:  # a forged record can make any product fail
            yield Finding(_blame(record, chain), name, f"cannot be recomputed: {error!r}")
            return
    for path, text in again.items():
        # Tables name files as their job did, which may have run in another folder.
        if not path.is_file() or not is_readable(path):
            continue
        if text.replace(f"{chain.root}", f"{record.prefix}") != _text_of(path):
            elsewhere = _ELSEWHERE if ran_elsewhere(record) else ""
            what = f"{_DIFFERS}{elsewhere}"
            yield Finding(_blame(record, chain), shown(path, chain.root), what)


def _write_again(record: Record, folder: Path) -> dict[Path, Path]:
    """Write a product's tables into a folder; return the copy of each file."""
    # Figures are not drawn again, because their bytes depend on fonts. Their hashes are checked.
    copies = {path: folder / path.name for path in record.files("outputs")}
    if record.rule == "claims":
        _write_claims(record, folder)
        return copies
    product = get_product(record.rule)
    kinds = {path: path.suffix[1:].replace("json", "seeds") for path in copies}
    known = (*product.tables, *(FIGURE if product.draw else ()))
    if foreign := [path for path, kind in kinds.items() if kind not in known]:
        raise ValueError(f"{foreign[0].name} is not an output of {record.rule}")
    tables = {path: copies[path] for path in copies if kinds[path] in product.tables}
    if product.write is not None:
        files = {kinds[path]: copy for path, copy in tables.items()}
        product.write(record.relocated(record.settings), files)
    return tables


def _write_claims(record: Record, folder: Path) -> None:
    inputs = list(record.files("inputs"))
    write_claims(
        next(path for path in inputs if path.name == "claims.yaml"),
        [path for path in inputs if path.parent.name == "published"],
        tables=[path for path in inputs if path.match("tables/*.csv")],
        path=folder / "claims.csv",
    )


def _blame(record: Record, chain: Chain) -> Verdict:
    """Return the verdict on a product that is not reproduced: edited code, or tampering."""
    packages = record.content.get("packages", {})
    changed = any(packages.get(name) != version(name) for name in _DECISIVE)
    findings = [part for part in chain.findings(record) if isinstance(part, Finding)]
    changed |= any(finding.verdict is Verdict.CHANGED_CODE for finding in findings)
    return Verdict.CHANGED_CODE if changed else Verdict.TAMPERED


def _text_of(path: Path) -> str:
    """Return a file's text; invalid bytes are replaced."""
    return path.read_bytes().decode("utf-8", errors="replace")
