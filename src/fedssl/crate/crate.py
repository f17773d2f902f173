"""Write a finished run as a Workflow Run RO-Crate (https://w3id.org/ro/wfrun/provenance)."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rocrate.model import ContextEntity, Preview
from rocrate.rocrate import ROCrate

from fedssl.crate.files import CODE, Files
from fedssl.crate.jobs import Job, read_jobs
from fedssl.crate.preview import preview_page
from fedssl.crate.run import RunEntities
from fedssl.files import write_json, write_text
from fedssl.record.sources import PACKAGE

_WITHOUT = ("crate.", "ro-crate-", "audit.", ".")  # beginnings of names
_ROOT = PACKAGE.parents[1]
_PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.5": ("Process Run Crate", "0.5"),
    "https://w3id.org/ro/wfrun/workflow/0.5": ("Workflow Run Crate", "0.5"),
    "https://w3id.org/ro/wfrun/provenance/0.5": ("Provenance Run Crate", "0.5"),
    "https://w3id.org/workflowhub/workflow-ro-crate/1.0": ("Workflow RO-Crate", "1.0"),
}
# Terms that are missing in the context of RO-Crate 1.1, the version that the profiles require.
_TERMS = {
    "sha256": "https://w3id.org/ro/terms/workflow-run#sha256",
    "buildInstructions": "https://codemeta.github.io/terms/buildInstructions",
}
_LICENCE = "https://www.apache.org/licenses/LICENSE-2.0"


def write_crate(
    spec: Mapping[str, Any], *, metadata: str | Path, preview: str | Path, code: str | Path
) -> None:
    """Copy the workflow into the results folder and write metadata and preview of the crate.

    Args:
        spec: title, scale, scale_note, results, urls (path -> address of files outside the crate)
            and code (the workflow's files, relative to the checkout).
        metadata: JSON-LD file to write, in the results folder.
        preview: HTML file to write, next to it.
        code: folder in the crate that the workflow is copied to.

    Raises:
        UserError: A record of the run was changed, or the script of a job no longer exists.
    """
    for name in spec["code"]:
        copy = Path(code, name)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(_ROOT / name, copy)
    jobs = read_jobs(spec["results"])
    crate = build_crate(spec, jobs)
    write_json(metadata, crate.metadata.generate())
    write_text(preview, preview_page(crate, jobs, results=spec["results"]))


def build_crate(spec: Mapping[str, Any], jobs: Sequence[Job]) -> ROCrate:
    """Return the crate: files, one step per rule, one tool per script and one action per job."""
    crate = ROCrate(version="1.1")
    crate.metadata.extra_terms.update(_TERMS)
    files = Files(crate, results=spec["results"], urls=spec["urls"])
    run = RunEntities(crate, files, jobs)
    workflow = run.workflow(_ROOT, title=spec["title"])
    for name in spec["code"]:
        files.add_code(_ROOT, name)
    actions = run.actions(workflow)
    for path in sorted(Path(spec["results"]).iterdir()):
        # The crate contains neither the files of its own job, nor those of the audit, which comes
        # after it, nor temporary files, whose names start with a dot.
        if path.is_file() and not path.name.startswith(_WITHOUT):
            files.add(str(path))
    # The end of the run and not the current time, so that the same run gives the same crate.
    _describe(crate, spec, date=max(job.record["ended"] for job in jobs))
    crate.add(Preview(crate))
    crate.root_dataset["mainEntity"] = workflow
    crate.root_dataset["mentions"] = actions
    return crate


def _describe(crate: ROCrate, spec: Mapping[str, Any], *, date: str) -> None:
    scaled = "" if spec["scale"] == "paper" else f" Scaled, not comparable: {spec['scale_note']}."
    profiles = [
        ContextEntity(crate, address, {"@type": "CreativeWork", "name": name, "version": version})
        for address, (name, version) in _PROFILES.items()
    ]
    about = {"@type": "CreativeWork", "name": "Apache License 2.0"}
    about["description"] = (
        f"Licence of the workflow. Those of the datasets are in {CODE}/config/datasets.yaml."
    )
    licence = ContextEntity(crate, _LICENCE, about)
    crate.add(*profiles, licence)
    crate.root_dataset["name"] = f"{spec['title']}: results"
    crate.root_dataset["description"] = (
        "Tables, figures, models and predictions, each with the job that wrote it, and the inputs "
        f"of the job with their SHA-256.{scaled}"
    )
    crate.root_dataset["datePublished"] = date
    crate.root_dataset["license"] = licence
    crate.root_dataset["conformsTo"] = profiles
    crate.metadata["conformsTo"] = [{"@id": crate.metadata.profile}, profiles[-1]]
