"""Recomputed numbers: accuracies from stored predictions, tables and claims from their inputs."""

import tempfile
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from math import isclose
from pathlib import Path
from typing import Any

import pandas as pd

from fedssl.audit.chain import Chain
from fedssl.audit.findings import Finding, Note, Verdict
from fedssl.audit.labels import check_samples
from fedssl.files import read_json
from fedssl.grid.paths import RECORD
from fedssl.paper.claims.claims import write_claims
from fedssl.paper.products.product import FIGURE
from fedssl.paper.products.registry import KINDS, get_product
from fedssl.record.read import Record, at_hand, shown

_METRIC_KEYS = {"value", "n_eval", "predictions", "protocol", "metric"}
# Packages that decide the digits of a table.
_DECISIVE = ("numpy", "pandas", "scipy")
_DIFFERS = "does not come out again of the files it was made of"


def recomputed(record: Record, chain: Chain) -> Iterator[Finding | Note]:
    """Yield the numbers of one job that cannot be recomputed: its accuracies, or its table.

    Of other jobs only the hashes are checked.
    """
    for path in record.files("outputs"):
        if path.suffix == ".json" and at_hand(path):
            yield from _readable(_content(path, record, chain), shown(path, chain.root))
    if record.rule == "score_rounds":
        yield from _readable(_rounds(record, chain), record.name)
    if record.rule == "claims" or (record.rule in KINDS and get_product(record.rule).write):
        yield from _product(record, chain)


def _readable(findings: Iterator[Finding], name: str) -> Iterator[Finding]:
    """Yield findings, and one more if their files are damaged in whatever way."""
    try:
        yield from findings
    except (FileNotFoundError, PermissionError) as error:
        yield Finding(Verdict.INCOMPLETE, name, f"needs what is not at hand: {error}")
    except Exception as error:
        yield Finding(Verdict.TAMPERED, name, f"cannot be read: {error!r}")


def _content(path: Path, record: Record, chain: Chain) -> Iterator[Finding]:
    """Yield what is wrong inside a JSON file: a metric, or the description of a bank."""
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
    """Yield how a metric differs from its stored predictions, and these from the bank."""
    samples = pd.read_parquet(folder / metric["predictions"])
    yield from _differences(metric, samples, record)
    yield from check_samples(metric, samples, record=record, chain=chain)


def _rounds(record: Record, chain: Chain) -> Iterator[Finding]:
    """Yield the scores of rounds that differ from their stored hits."""
    scores = next(path for path in record.files("outputs") if path.name == "rounds.csv")
    samples = pd.read_parquet(scores.with_suffix(".parquet")).groupby("round")
    for row in pd.read_csv(scores).to_dict("records"):
        hits = samples.get_group(row["round"])[row["metric"].replace("R@", "hit@")]
        found = 100.0 * float(hits.mean())
        if len(hits) != row["n_eval"] or not isclose(found, row["value"], rel_tol=1e-12):
            what = f"says {row['value']} of {row['n_eval']} in round {row['round']}, but the "
            what += f"stored hits give {found} of {len(hits)}"
            yield Finding(Verdict.TAMPERED, shown(scores, chain.root), what)


def _bank(
    facts: Mapping[str, Any], folder: Path, *, record: Record, chain: Chain
) -> Iterator[Finding]:
    """Yield the arrays that are not those of bank.json, which is all that later jobs hash."""
    outputs = record.files("outputs")
    for name, file in facts["files"].items():
        if outputs.get(folder / name) != file["sha256"]:
            what = "is not the array that bank.json describes"
            yield Finding(Verdict.TAMPERED, shown(folder / name, chain.root), what)


def _differences(metric: Mapping[str, Any], samples: pd.DataFrame, record: Record) -> Iterator[str]:
    value = _accuracy(metric, samples)
    if value is not None and not isclose(value, metric["value"], rel_tol=1e-12):
        yield f"says {metric['value']}, but the stored predictions give {value}"
    if metric["n_eval"] != len(samples):
        yield f"counts {metric['n_eval']} samples, but {len(samples)} predictions are stored"
    for name, wildcard in record.content.get("wildcards", {}).items():
        if str(metric.get(name, wildcard)) != wildcard:
            yield f"is of {name} {metric[name]}, but its job was of {wildcard}"


def _accuracy(metric: Mapping[str, Any], samples: pd.DataFrame) -> float | None:
    """Return the percentage that samples give; None for a metric of another kind."""
    if metric["metric"] == "top-1 accuracy":
        return 100.0 * float((samples["label"] == samples["prediction"]).mean())
    if str(metric["metric"]).startswith("R@"):
        return 100.0 * float(samples[f"hit@{metric['metric'].removeprefix('R@')}"].mean())
    return None


def _product(record: Record, chain: Chain) -> Iterator[Finding | Note]:
    """Yield which files of a table do not come out again, byte for byte."""
    inputs = record.files("inputs")
    name = record.name.removesuffix(f".{RECORD}")
    unavailable = [path for path, recorded in inputs.items() if not chain.same(path, recorded)]
    if unavailable:
        yield Note(name, f"not recomputed: {shown(unavailable[0], chain.root)} is another file")
        return
    with tempfile.TemporaryDirectory() as folder:
        try:
            written = _write_again(record, Path(folder))
            again = {path: _text_of(copy) for path, copy in written.items()}
        except Exception as error:  # whatever was forged must end as a finding
            yield Finding(_blame(record, chain), name, f"cannot be recomputed: {error!r}")
            return
    for path, text in again.items():
        if at_hand(path) and text.replace(f"{chain.root}", f"{record.prefix}") != _text_of(path):
            yield Finding(_blame(record, chain), shown(path, chain.root), _DIFFERS)


def _write_again(record: Record, folder: Path) -> dict[Path, Path]:
    """Write a product's tables into a folder; return each file's copy there.

    Figures are not drawn again: their bytes depend on fonts. They are checked by their hashes.
    """
    copies = {path: folder / path.name for path in record.files("outputs")}
    if record.rule == "claims":
        _write_claims(record, folder)
        return copies
    product = get_product(record.rule)
    kinds = {path: path.suffix[1:].replace("json", "seeds") for path in copies}
    known = (*product.tables, *(FIGURE if product.draw else ()))
    if foreign := [path for path, kind in kinds.items() if kind not in known]:
        raise ValueError(f"{foreign[0].name} is no file of a {record.rule}")
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
    """Return the reason why a product comes out otherwise: edited code, or tampering."""
    packages = record.content.get("packages", {})
    changed = any(packages.get(name) != version(name) for name in _DECISIVE)
    findings = [part for part in chain.findings(record) if isinstance(part, Finding)]
    changed |= any(finding.verdict is Verdict.CHANGED_CODE for finding in findings)
    return Verdict.CHANGED_CODE if changed else Verdict.TAMPERED


def _text_of(path: Path) -> str:
    """Return a file's text, whatever its bytes."""
    return path.read_bytes().decode("utf-8", errors="replace")
