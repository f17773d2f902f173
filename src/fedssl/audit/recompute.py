"""Numbers worked out again from what they were made of."""

import tempfile
from collections.abc import Callable, Iterator, Mapping
from functools import partial
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
from fedssl.paper.products.contrasts import write_contrasts
from fedssl.paper.products.gains import write_gains
from fedssl.paper.products.silhouettes import write_silhouettes
from fedssl.paper.products.table import write_table
from fedssl.record.read import Record, at_hand, shown

_METRIC_KEYS = {"value", "n_eval", "predictions", "protocol", "metric"}
# What decides the digits of a table and the bytes of a page.
_DECISIVE = ("jinja2", "numpy", "pandas", "pillow", "scipy")


def recomputed(record: Record, chain: Chain) -> Iterator[Finding | Note]:
    """Yield what does not come out again of one job: its accuracies, or its table.

    Jobs of other kinds have their hashes only.
    """
    for path in record.files("outputs"):
        if path.suffix == ".json" and at_hand(path):
            yield from _readable(_content(path, record, chain), shown(path, chain.root))
    if record.rule == "score_rounds":
        yield from _readable(_rounds(record, chain), record.name)
    if record.rule in _PRODUCTS:
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
    """Yield how a metric differs from the predictions stored beside it, and these from the bank."""
    samples = pd.read_parquet(folder / metric["predictions"])
    yield from _differences(metric, samples, record)
    yield from check_samples(metric, samples, record=record, chain=chain)


def _rounds(record: Record, chain: Chain) -> Iterator[Finding]:
    """Yield the scores of rounds that do not come out of the hits stored beside them."""
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
            _PRODUCTS[record.rule](record, Path(folder))
            again = {path: text_of(Path(folder, path.name)) for path in record.files("outputs")}
        except Exception as error:  # whatever was forged must end as a finding
            yield Finding(blame(record, chain), name, f"cannot be recomputed: {error!r}")
            return
    for path, text in again.items():
        if at_hand(path) and text.replace(f"{chain.root}", f"{record.prefix}") != text_of(path):
            yield Finding(blame(record, chain), shown(path, chain.root), DIFFERS)


DIFFERS = "does not come out again of the files it was made of"


def blame(record: Record, chain: Chain) -> Verdict:
    """Return what a product that comes out otherwise speaks of: other code, or a forgery."""
    packages = record.content.get("packages", {})
    changed = any(packages.get(name) != version(name) for name in _DECISIVE)
    findings = [part for part in chain.findings(record) if isinstance(part, Finding)]
    changed |= any(finding.verdict is Verdict.CHANGED_CODE for finding in findings)
    return Verdict.CHANGED_CODE if changed else Verdict.TAMPERED


def text_of(path: Path) -> str:
    """Return what a file says, whatever its bytes."""
    return path.read_bytes().decode("utf-8", errors="replace")


def _table(record: Record, folder: Path) -> None:
    published = [path for path in record.files("inputs") if path.parent.name == "published"]
    write_table(record.relocated(record.settings), published=published, **_names(record, folder))


def _from_settings(write: Callable[..., None], record: Record, folder: Path) -> None:
    write(record.relocated(record.settings), **_names(record, folder))


def _names(record: Record, folder: Path) -> dict[str, Path]:
    """Return where a table's files go, by the names that its writer has for them."""
    kinds = {path: path.suffix[1:].replace("json", "seeds") for path in record.files("outputs")}
    return {kind: folder / path.name for path, kind in kinds.items()}


def _claims(record: Record, folder: Path) -> None:
    inputs = list(record.files("inputs"))
    write_claims(
        next(path for path in inputs if path.name == "claims.yaml"),
        [path for path in inputs if path.parent.name == "published"],
        tables=[path for path in inputs if path.match("tables/*.csv")],
        path=folder / "claims.csv",
    )


_PRODUCTS: Mapping[str, Callable[[Record, Path], None]] = {
    "claims": _claims,
    "contrasts": partial(_from_settings, write_contrasts),
    "gains": partial(_from_settings, write_gains),
    "silhouettes": partial(_from_settings, write_silhouettes),
    "table": _table,
}
