"""Write the certificate of a run: its scale, code, data and verdicts, and what was not run.

The certificate is written from the sealed records and quotes their seal, so the seal cannot cover
the certificate.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from fedssl.files import sha256, write_text
from fedssl.frames import read_csv
from fedssl.paper import run_facts
from fedssl.paper.not_run import Tables, not_run
from fedssl.paper.published import read_published
from fedssl.paper.text_table import markdown
from fedssl.paper.verdict import COMPARED, Verdict
from fedssl.paper.verdicts.cell_verdict import expected_by_chance
from fedssl.record.read import read_records, whole
from fedssl.record.seal import is_sealed, provenance_root

NOTHING_REPRODUCED = "scaled-down run: nothing here reproduces a published number"
NOT_RUN_SECTION = "Not run, and why"
_CLAIMS = ("holds", "fails", "undecided", "not-run")


def write_certificate(
    spec: Mapping[str, Any],
    *,
    claims: str | Path | None,
    published: Iterable[str | Path],
    lock: str | Path,
    path: str | Path,
) -> None:
    """Write the certificate as Markdown.

    Args:
        spec: What `fedssl.paper.plan.certificate_spec` returns.
        claims: CSV of the claims; None if no paper's study was run.
        published: Files of published numbers.
        lock: File of the pinned environment.
        path: Path of the certificate.

    Raises:
        UserError: A record of the run was changed after it was written.
    """
    found = map(whole, read_records(Path(spec["results"])))
    records = {record.name: record.content for record in found if is_sealed(record)}
    # `fillna`: the number of a table is empty for numbers from the prose, and pandas reads NaN.
    frames = {
        Path(table).stem: read_csv(table, dtype={"table": str}).fillna({"cell": "", "table": ""})
        for table in spec["tables"]
    }
    sections = [
        [f"# {certificate_title(spec)}", "", f"**{_headline(spec, frames)}**"],
        _about(spec),
        ["## The run", "", *_facts(spec, records, lock=lock)],
        ["## Data", "", *_data(spec, records)],
        ["## Verdicts", "", *_verdicts(frames)]
        if claims
        else ["## Numbers", "", *_numbers(frames)],
        ["## The papers' claims", "", *_claims(claims)] if claims else [],
        [f"## {NOT_RUN_SECTION}", "", *not_run(spec, records, frames, read_published(published))],
        ["## How to check this", "", *_how_to_check(spec, records)],
    ]
    write_text(path, "\n".join(line for section in sections for line in (*section, "")))


def certificate_title(spec: Mapping[str, Any]) -> str:
    """Return the title of the certificate: own studies reproduce nothing."""
    return "Certificate of a run" if spec.get("own", False) else "Certificate of reproduction"


def _headline(spec: Mapping[str, Any], tables: Tables) -> str:
    if spec["scale"] != "paper":
        return NOTHING_REPRODUCED
    if spec.get("own", False):
        found = Counter(verdict for frame in tables.values() for verdict in frame["verdict"])
        measured = found.total() - found[Verdict.NOT_RUN]
        return f"{measured} of {found.total()} numbers measured; no paper has numbers of these data"
    printed = (frame[frame["published"].notna()] for frame in tables.values())
    found = Counter(verdict for frame in printed for verdict in frame["verdict"])
    compared = sum(found[verdict] for verdict in COMPARED)
    expected = expected_by_chance([Verdict(v) for v in COMPARED for _ in range(found[v])])
    return (
        f"{found[Verdict.REPRODUCED]} of {compared} compared numbers reproduce the published one, "
        f"{found[Verdict.DIFFERS]} differ ({expected:.1f} would by chance), and "
        f"{found[Verdict.INCONCLUSIVE] + found[Verdict.UNINFORMATIVE]} decide nothing; "
        f"{found[Verdict.NOT_RUN]} published numbers were not measured"
    )


def _about(spec: Mapping[str, Any]) -> list[str]:
    note = [markdown(spec["scale_note"]), ""] if spec["scale_note"] else []
    return [*note, *(f"- {markdown(title)}" for title in spec["studies"])]


def _facts(
    spec: Mapping[str, Any], records: Mapping[str, run_facts.Record], *, lock: str | Path
) -> list[str]:
    jobs = list(records.values())
    cells = {name for name, record in records.items() if record["rule"].startswith("pretrain")}
    declared = set(spec["cells"])
    unsure = run_facts.uncommitted(jobs)
    # Own data have no paper whose scale they could be at.
    scaled = spec["scale"] != "paper" or not spec.get("own", False)
    facts = {
        **({"scale": spec["scale"]} if scaled else {}),
        "when": f"{min(job['started'] for job in jobs)} to {max(job['ended'] for job in jobs)}",
        "code": "; ".join(run_facts.commits(jobs)),
        "jobs with uncommitted or unknown code": str(unsure) if unsure else "none",
        "machines": "; ".join(run_facts.hardware(jobs)),
        "hours with a GPU, without a GPU": f"{run_facts.hours(jobs, gpu=True):.2f}, "
        f"{run_facts.hours(jobs, gpu=False):.2f} (wall time, summed over jobs)",
        "pretrainings": f"{len(cells & declared)} of {len(declared)} declared were run"
        + (f"; found {len(cells - declared)} undeclared" if cells - declared else ""),
        "updates of clients dropped": _dropped(jobs),
        "seeds": ", ".join(map(str, spec["seeds"])),
        "environment": "; ".join(run_facts.environments(jobs)),
        "requirements.lock": f"sha256 {sha256(lock)}",
        "records": f"{len(jobs)}, seal sha256 {_root(records)}",
    }
    return _table(("", ""), facts.items())


def _dropped(jobs: Iterable[run_facts.Record]) -> str:
    """Return how many updates were not used because they were not finite."""
    federated = [job for job in jobs if "updates" in job]
    dropped = [job["dropped_updates"] for job in federated]
    total = sum(job["updates"] for job in federated)
    cells = sum(map(bool, dropped))
    return f"{sum(dropped)} of {total}" + (f", in {cells} pretrainings" if cells else "")


def _data(spec: Mapping[str, Any], records: Mapping[str, run_facts.Record]) -> list[str]:
    rows = [
        (
            data.name,
            spec["datasets"].get(data.name, "not declared in this run"),
            ", ".join(f"{split} {count:,}" for split, count in data.counts.items()),
            f"{data.unreadable}",
            data.checksums,
        )
        for data in run_facts.datasets(records, spec["results"])
    ]
    return _table(("dataset", "title", "samples", "unreadable", "archives, SHA-256"), rows)


def _verdicts(tables: Tables) -> list[str]:
    """Return the verdicts on published numbers, and how many others were measured or not run."""
    rows = []
    for name, frame in tables.items():
        printed = frame["published"].notna()
        found, others = Counter(frame["verdict"][printed]), frame["verdict"][~printed]
        lacking = int((others == Verdict.NOT_RUN).sum())
        counts = (*(found[verdict] for verdict in Verdict), len(others) - lacking, lacking)
        rows.append((name, *map(str, counts)))
    return _table(("table", *Verdict, "unpublished: measured", "unpublished: not run"), rows)


def _numbers(tables: Tables) -> list[str]:
    """Return how many numbers of each table were measured or not run."""
    rows = []
    for name, frame in tables.items():
        lacking = int((frame["verdict"] == Verdict.NOT_RUN).sum())
        rows.append((name, f"{len(frame) - lacking}", f"{lacking}"))
    return _table(("table", "measured", "not run"), rows)


def _claims(path: str | Path) -> list[str]:
    frame = read_csv(path)
    rows = [
        (str(paper), source, *(str((part[column] == verdict).sum()) for verdict in _CLAIMS))
        for paper, part in frame.groupby("paper", sort=False)
        for column, source in (("published", "as printed"), ("measured", _measured(part)))
    ]
    return _table(("paper", "claims tested on its numbers", *_CLAIMS), rows)


def _measured(claims: pd.DataFrame) -> str:
    # `scaled` is NaN if nothing was measured, and NaN counts as true.
    scaled = claims["scaled"].eq(True).any()
    return "as measured here, scaled: decides nothing" if scaled else "as measured here"


def _how_to_check(spec: Mapping[str, Any], records: Mapping[str, run_facts.Record]) -> list[str]:
    return [
        f"`fedssl audit {spec['results']}` traces every number through the records to code, data "
        "and seed, and verifies the hash of every file. The seal is the SHA-256 over the sorted "
        "digests of all records, one per line. The digest of a record covers everything in it but "
        "the digest. A copy of these results is the certified one if the seal of its records is",
        "",
        f"    {_root(records)}",
    ]


def _root(records: Mapping[str, run_facts.Record]) -> str:
    return provenance_root(record["digest"] for record in records.values())


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    body = [header, ["---"] * len(header), *([markdown(cell) for cell in row] for row in rows)]
    return [f"| {' | '.join(cells)} |" for cells in body]
