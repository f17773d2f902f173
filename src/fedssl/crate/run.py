"""The entities of a run: the workflow, its steps and tools, and one action per job."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from rocrate.model import ContextEntity, Entity
from rocrate.rocrate import ROCrate

from fedssl.crate.files import Files
from fedssl.crate.jobs import Job, rule_order
from fedssl.errors import UserError

_ENVIRONMENTS = ("requirements.lock", "envs/fedssl.yaml")
_ENGINE = "snakemake"
_ENGINE_URL = "https://snakemake.github.io"
_WORKFLOW_TYPES = ["File", "SoftwareSourceCode", "ComputationalWorkflow", "HowTo"]


class RunEntities:
    """Adds the entities of a run to a crate; each method returns the entities that it added."""

    def __init__(self, crate: ROCrate, files: Files, jobs: Sequence[Job]) -> None:
        """Keep the crate and the jobs that it describes."""
        self._crate = crate
        self._files = files
        self._jobs = jobs
        self._started = min(job.record["started"] for job in jobs)
        self._ended = max(job.record["ended"] for job in jobs)

    def workflow(self, root: Path, *, title: str) -> Entity:
        """Add the Snakefile with one tool per script and one step per rule."""
        workflow = self._files.add_code(
            root,
            "Snakefile",
            **{"@type": _WORKFLOW_TYPES, "name": title, "version": self._commits(self._jobs)},
            programmingLanguage=self._language(),
            buildInstructions=[self._files.add_code(root, name) for name in _ENVIRONMENTS],
        )
        scripts = sorted({job.script for job in self._jobs})
        tools = {script: self._tool(root, script) for script in scripts}
        script_of = {job.rule: job.script for job in self._jobs}
        steps = [
            self._add(
                f"#step-{rule}",
                "HowToStep",
                name=rule,
                position=str(place),
                workExample=tools[script_of[rule]],
            )
            for place, rule in enumerate(rule_order(self._jobs))
        ]
        workflow["hasPart"] = _compact(list(tools.values()))
        workflow["step"] = _compact(steps)
        return workflow

    def actions(self, workflow: Entity) -> list[Entity]:
        """Add the run as a whole, the engine's part in it, and one action per job."""
        # All outputs first, so that a job finds its inputs among them.
        for job in self._jobs:
            for path, digest in job.record["outputs"].items():
                self._files.add(path, digest)
        jobs = [self._job(job) for job in self._jobs]
        # After the jobs, to which the controls of the engine refer.
        run = self._run(workflow)
        self._engine(run, controls=[self._control(job) for job in self._jobs])
        return [run, *jobs]

    def _job(self, job: Job) -> Entity:
        record = job.record
        made = self._files.find(record["outputs"])
        return self._add(
            f"#job-{job.key}",
            "CreateAction",
            name=job.title,
            description=job.circumstances,
            startTime=record["started"],
            endTime=record["ended"],
            agent=self._agent(job.account),
            instrument=self._crate.get(f"#step-{job.rule}")["workExample"],
            object=_compact(self._files.find(record["inputs"])),
            result=_compact([*made, self._files.add(job.path)]),
        )

    def _control(self, job: Job) -> Entity:
        return self._add(
            f"#control-{job.key}",
            "ControlAction",
            name=f"orchestrate {job.title}",
            instrument=self._crate.get(f"#step-{job.rule}"),
            object=self._crate.get(f"#job-{job.key}"),
        )

    def _run(self, workflow: Entity) -> Entity:
        """Add the run as one action.

        Its inputs are the files that no job wrote, and its results the files that no job read.
        """
        made = {path: value for job in self._jobs for path, value in job.record["outputs"].items()}
        read = {path: value for job in self._jobs for path, value in job.record["inputs"].items()}
        given = {path: value for path, value in read.items() if path not in made}
        final = {path: value for path, value in made.items() if path not in read}
        return self._add(
            "#run",
            "CreateAction",
            name=f"Run of {workflow['name']}",
            description=f"{len(self._jobs)} jobs, from the start of the first to the end of all.",
            startTime=self._started,
            endTime=self._ended,
            agent=_compact(self._agents()),
            instrument=workflow,
            object=_compact(self._files.find(given)),
            result=_compact(self._files.find(final)),
        )

    def _engine(self, run: Entity, *, controls: Sequence[Entity]) -> None:
        self._add(
            "#engine-run",
            "OrganizeAction",
            name="Run of Snakemake",
            startTime=self._started,
            endTime=self._ended,
            agent=_compact(self._agents()),
            instrument=_compact(self._packages(self._jobs, only={_ENGINE})),
            object=_compact(controls),
            result=run,
        )

    def _tool(self, root: Path, script: str) -> Entity:
        """Add the script of some jobs.

        Raises:
            UserError: The checkout does not have the script.
        """
        jobs = [job for job in self._jobs if job.script == script]
        if not (root / script).is_file():
            raise UserError(
                f"{jobs[0].path} was written by {script}, which this checkout does not have; "
                f"remove the files of this job, or check out commit {jobs[0].commit}."
            )
        return self._files.add_code(
            root,
            script,
            **{"@type": ["File", "SoftwareSourceCode"], "name": Path(script).stem},
            version=self._commits(jobs),
            softwareRequirements=_compact(self._packages(jobs)),
        )

    def _packages(self, jobs: Iterable[Job], *, only: set[str] | None = None) -> list[Entity]:
        """Add the packages in the records of jobs, or `only` those with some names."""
        pairs = {("python", job.record["python"]) for job in jobs}
        pairs |= {pair for job in jobs for pair in job.record["packages"].items()}
        return [
            self._add(
                f"pkg:generic/{name}@{version}",
                "SoftwareApplication",
                name=name,
                softwareVersion=version,
                **({"url": _ENGINE_URL} if name == _ENGINE else {}),
            )
            for name, version in sorted(pairs)
            if version != "absent" and (only is None or name in only)
        ]

    def _language(self) -> Entity:
        identifier = "https://w3id.org/workflowhub/workflow-ro-crate#snakemake"
        return self._add(identifier, "ComputerLanguage", name="Snakemake", url=_ENGINE_URL)

    def _agents(self) -> list[Entity]:
        return [self._agent(account) for account in sorted({job.account for job in self._jobs})]

    def _agent(self, account: str) -> Entity:
        return self._add(f"#account-{account}", "Person", name=account)

    def _commits(self, jobs: Iterable[Job]) -> str:
        return ", ".join(sorted({job.commit for job in jobs}))

    def _add(self, identifier: str, kind: str, **properties: Any) -> Entity:
        """Return the entity with this identifier; add it if it does not exist yet."""
        if identifier in self._crate:
            return self._crate.get(identifier)

        given = {name: value for name, value in properties.items() if value != []}
        return self._crate.add(ContextEntity(self._crate, identifier, {"@type": kind, **given}))


def _compact(entities: Sequence[Entity]) -> Any:
    """Return entities without duplicates; a single one without a list, as RO-Crate requires."""
    single = list({entity.id: entity for entity in entities}.values())
    return single[0] if len(single) == 1 else single
