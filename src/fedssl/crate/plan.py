"""The parameters of the RO-Crate's job."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fedssl.record.sources import WORKFLOW_FILES, WORKFLOW_FOLDERS

if TYPE_CHECKING:
    from fedssl.grid.plan import Plan


def crate_spec(plan: Plan) -> dict[str, Any]:
    """Return the title, the scale, the addresses of archives and the workflow's files."""
    own = ", ".join(plan.config["studies"][study]["title"] for study in plan.studies)
    return {
        **plan.grid.scale,
        "title": "fedssl, federated self-supervised learning reproduced" if plan.papers else own,
        "results": plan.paths.results,
        "urls": dict(_addresses(plan)),
        "code": [path.relative_to(plan.checkout).as_posix() for path in workflow_files(plan)],
    }


def workflow_files(plan: Plan) -> list[Path]:
    """Return the files of the workflow, sorted."""
    folders = (plan.checkout / folder for folder in WORKFLOW_FOLDERS)
    inside = (path for folder in folders for path in folder.rglob("*") if path.is_file())
    kept = (path for path in inside if "__pycache__" not in path.parts)
    return sorted([*kept, *(plan.checkout / name for name in WORKFLOW_FILES)])


def _addresses(plan: Plan) -> Iterator[tuple[str, str]]:
    """Yield the path and the first official address of each archive that has an address."""
    archives = f"{plan.grid.config['data_dir']}/archives"
    for name, entry in plan.grid.config["datasets"].items():
        for archive in entry["archives"].values():
            # An archive that another dataset declares has no address here.
            if archive.get("urls"):
                yield f"{archives}/{name}/{archive['file']}", archive["urls"][0]
