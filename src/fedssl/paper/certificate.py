"""The certificate of a run: what was run, at which scale, by which code, and what was not.

It is the one document that states coverage. It is written from sealed records and quotes their
seal, so the seal cannot cover it.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from fedssl.files import sha256, write_text
from fedssl.paper import run_facts
from fedssl.paper.published import read_published
from fedssl.paper.text_table import markdown
from fedssl.paper.verdict import Verdict
from fedssl.record.read import read_records, whole
from fedssl.record.seal import is_sealed, provenance_root

NOTHING_REPRODUCED = "scaled-down run: nothing here reproduces a published number"
_CLAIMS = ("holds", "fails", "not decidable", "not-run")
Tables = Mapping[str, pd.DataFrame]  # name -> its rows


def write_certificate(
    spec: Mapping[str, Any],
    *,
    claims: str | Path,
    published: Iterable[str | Path],
    lock: str | Path,
    path: str | Path,
) -> None:
    """Write the certificate as Markdown.

    Args:
        spec: scale, scale_note, results, studies (their titles), seeds, cells (their records'
            paths), datasets (name -> title) and tables (their CSVs).
        claims: The claims' CSV.
        published: All files of published numbers.
        lock: The pinned environment.
        path: Where the certificate goes.

    Raises:
        UserError: A record of the run was changed.
    """
    found = map(whole, read_records(Path(spec["results"])))
    records = {record.name: record.content for record in found if is_sealed(record)}
    frames = {
        Path(table).stem: pd.read_csv(table, dtype={"table": str}).fillna({"cell": "", "table": ""})
        for table in spec["tables"]
    }
    sections = [
        ["# Certificate of reproduction", "", f"**{_headline(spec, frames)}**"],
        [*_about(spec)],
        ["## The run", "", *_facts(spec, records, lock=lock)],
        ["## Data", "", *_data(spec, records)],
        ["## Verdicts", "", *_verdicts(frames)],
        ["## The papers' claims", "", *_claims(claims)],
        ["## Not run, and why", "", *_not_run(spec, records, frames, read_published(published))],
        ["## How to check this", "", *_how_to_check(spec, records)],
    ]
    write_text(path, "\n".join(line for section in sections for line in (*section, "")))


def _headline(spec: Mapping[str, Any], tables: Tables) -> str:
    if spec["scale"] != "paper":
        return NOTHING_REPRODUCED
    printed = (frame[frame["published"].notna()] for frame in tables.values())
    found = Counter(verdict for frame in printed for verdict in frame["verdict"])
    compared = found[Verdict.REPRODUCED] + found[Verdict.DIFFERS]
    return (
        f"{found[Verdict.REPRODUCED]} of {compared} measured numbers reproduce the published one; "
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
    facts = {
        "scale": spec["scale"],
        "when": f"{min(job['started'] for job in jobs)} to {max(job['ended'] for job in jobs)}",
        "code": _lines(run_facts.commits(jobs)),
        "jobs whose code no commit holds": str(unsure) if unsure else "none",
        "machines": _lines(run_facts.hardware(jobs)),
        "hours of jobs with a GPU, without": f"{run_facts.hours(jobs, gpu=True):.2f}, "
        f"{run_facts.hours(jobs, gpu=False):.2f} (by the clock, one job after another)",
        "pretrainings": f"{len(cells & declared)} of {len(declared)} declared were run"
        + (f"; {len(cells - declared)} more lie here undeclared" if cells - declared else ""),
        "seeds": ", ".join(map(str, spec["seeds"])),
        "environment": _lines(run_facts.environments(jobs)),
        "requirements.lock": f"sha256 {sha256(lock)}",
        "records": f"{len(jobs)}, seal sha256 {_root(records)}",
    }
    return _table(("", ""), facts.items())


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
    """Return the verdicts on numbers in print, and how many more were measured, or not run."""
    rows = []
    for name, frame in tables.items():
        printed = frame["published"].notna()
        found, others = Counter(frame["verdict"][printed]), frame["verdict"][~printed]
        lacking = int((others == Verdict.NOT_RUN).sum())
        counts = (*(found[verdict] for verdict in Verdict), len(others) - lacking, lacking)
        rows.append((name, *map(str, counts)))
    return _table(("table", *Verdict, "not in print: measured", "not in print: not run"), rows)


def _claims(path: str | Path) -> list[str]:
    frame = pd.read_csv(path)
    rows = [
        (str(paper), source, *(str((part[column] == verdict).sum()) for verdict in _CLAIMS))
        for paper, part in frame.groupby("paper", sort=False)
        for column, source in (("published", "as printed"), ("measured", _measured(part)))
    ]
    return _table(("paper", "tested on its numbers", *_CLAIMS), rows)


def _measured(claims: pd.DataFrame) -> str:
    scaled = claims["scaled"].eq(True).any()  # empty where nothing was measured
    return "as measured here, scaled: decides nothing" if scaled else "as measured here"


def _not_run(
    spec: Mapping[str, Any],
    records: Mapping[str, run_facts.Record],
    tables: Tables,
    published: pd.DataFrame,
) -> list[str]:
    known = {(study, table) for f in tables.values() for study, table in _names(f)}
    printed = [name for name in _names(published) if name not in known and name[1]]
    lacking = [f"{study} table {table}" for study, table in dict.fromkeys(printed)]
    lines = [line for name, frame in tables.items() for line in _reasons(name, frame)]
    if lacking:
        lines.append(f"{', '.join(lacking)}: this configuration has no such table.")
    missing = [Path(name).parent.as_posix() for name in spec["cells"] if name not in records]
    if missing:
        lines.append(f"declared pretrainings without a record: {', '.join(missing)}.")
    return [f"- {markdown(line)}" for line in lines] or ["Nothing."]


def _names(frame: pd.DataFrame) -> list[tuple[str, str]]:
    return list(zip(frame["study"], frame["table"], strict=True))


def _reasons(name: str, frame: pd.DataFrame) -> list[str]:
    """Return one line for each reason why a table lacks measured numbers."""
    lacking = frame[frame["verdict"] == Verdict.NOT_RUN]
    rows = _all_of(lacking, frame, axis="row")
    columns = _all_of(lacking, frame[~frame["row"].isin(rows)], axis="column")
    single = lacking[~lacking["row"].isin(rows) & ~lacking["column"].isin(columns)]
    quoted = frame.loc[frame["verdict"] == Verdict.PUBLISHED_ONLY, "row"]
    reasons: dict[str, list[str]] = {
        "rows that the grid of this run does not have": rows,
        "columns that this run does not measure": columns,
        "measured for other rows only": [
            f"{row} ({', '.join(part['column'])})"
            for row, part in single.groupby("row", sort=False)
        ],
        "other papers' methods, quoted and never rerun": list(dict.fromkeys(quoted)),
    }
    return [f"{name}, {reason}: {', '.join(found)}." for reason, found in reasons.items() if found]


def _all_of(lacking: pd.DataFrame, frame: pd.DataFrame, *, axis: str) -> list[str]:
    """Return the rows or columns without any measured number."""
    ran = frame.loc[~frame.index.isin(lacking.index), axis]
    return [name for name in dict.fromkeys(frame[axis]) if name not in set(ran)]


def _how_to_check(spec: Mapping[str, Any], records: Mapping[str, run_facts.Record]) -> list[str]:
    return [
        f"`fedssl audit {spec['results']}` follows every number back through the records to code, "
        "data and seed, and hashes every file again. The seal is the SHA-256 over the records' "
        "digests, sorted, a line each; a record's digest is that of the rest of it. So a copy of "
        "these results is the one certified here if its records give",
        "",
        f"    {_root(records)}",
    ]


def _root(records: Mapping[str, run_facts.Record]) -> str:
    return provenance_root(record["digest"] for record in records.values())


def _lines(entries: Iterable[str]) -> str:
    return "; ".join(entries)


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    body = [header, ["---"] * len(header), *([markdown(cell) for cell in row] for row in rows)]
    return [f"| {' | '.join(cells)} |" for cells in body]
