"""Write `ro-crate-preview.html`, which shows a crate to a person who opens its folder.

The preview of the `rocrate` package lists all entities without links to the jobs and does not
escape their texts.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from rocrate.rocrate import ROCrate

from fedssl.crate.jobs import Job, rule_order
from fedssl.paper.page.style import templates_in
from fedssl.paper.products.registry import KINDS
from fedssl.paper.style import time_unit

_TEMPLATES = Path(__file__).parent / "templates"
# What a reader opens first, if the run has it.
_STARTS = (
    ("report/index.html", "the report"),
    ("certificate.md", "the certificate"),
    ("claims.csv", "the papers' claims"),
    ("cells.csv", "all cells"),
)
_SHOWN = {"Tables": ("html", "csv", "md", "tex"), "Figures": ("pdf", "svg", "png")}


def preview_page(crate: ROCrate, jobs: Sequence[Job], *, results: str) -> str:
    """Return the preview as one HTML page; its links are relative to the crate."""
    root = crate.root_dataset
    return (
        templates_in(_TEMPLATES)
        .get_template("preview.html")
        .render(
            root={name: root[name] for name in ("name", "description", "datePublished")},
            licence={"id": root["license"].id, "name": root["license"]["name"]},
            jobs=len(jobs),
            commits=list(dict.fromkeys(job.commit for job in jobs)),
            starts=[start for start in _STARTS if start[0] in crate],
            tables=list(_products(jobs, results, "Tables")),
            figures=list(_products(jobs, results, "Figures")),
            steps=_steps(jobs),
            given=[_outside(e) for e in _listed(crate.get("#run"), "object") if _is_outside(e)],
            machines=Counter(job.machine for job in jobs).most_common(),
            packages=sorted(
                (entity.properties() for entity in crate.get_by_type("SoftwareApplication")),
                key=lambda package: (package["name"], package["softwareVersion"]),
            ),
        )
    )


def _products(jobs: Iterable[Job], results: str, title: str) -> Iterator[dict[str, Any]]:
    """Yield the name, title and files of each table, or of each figure, in the order of names."""
    kinds = _SHOWN[title]
    for job in sorted(jobs, key=lambda job: job.path):
        if job.rule not in KINDS:
            continue
        places = [Path(path).relative_to(results) for path in job.record["outputs"]]
        files = {place.suffix[1:]: place for place in places if place.suffix[1:] in kinds}
        # The CSV of a figure has its points; it is no table of its own.
        if files.keys() & {kinds[0]}:
            caption, _, _ = job.record["settings"].get("title", "").partition(";")
            shown = [(quote(files[kind].as_posix()), kind) for kind in kinds if kind in files]
            yield {"name": files[kinds[0]].stem, "title": caption, "files": shown}


def _steps(jobs: Sequence[Job]) -> list[dict[str, Any]]:
    groups: dict[str, list[Job]] = {rule: [] for rule in rule_order(jobs)}
    for job in jobs:
        groups[job.rule].append(job)
    return [
        {
            "rule": rule,
            "script": own[0].script,
            "jobs": len(own),
            "time": _duration(sum(job.record["seconds"] for job in own)),
        }
        for rule, own in groups.items()
    ]


def _duration(seconds: float) -> str:
    name, unit = time_unit(seconds)
    return f"{seconds / unit:,.1f} {name}"


def _listed(entity: Any, key: str) -> list[Any]:
    found = entity.get(key, [])
    return found if isinstance(found, list) else [found]


def _is_outside(entity: Any) -> bool:
    """Return whether a file is not in the crate: it has an address, or only a made-up name."""
    return str(entity.id).startswith(("#", "http:", "https:"))


def _outside(entity: Any) -> Mapping[str, str]:
    address = "" if entity.id.startswith("#") else entity.id
    return {"name": entity["name"], "address": address, "sha256": entity["sha256"]}
