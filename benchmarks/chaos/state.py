"""Damage the progress of a job that was killed, before the next attempt resumes from it."""

import random
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

from benchmarks.chaos.clone import SOUND_CELL, Clone
from benchmarks.chaos.damage import WAYS, damage
from benchmarks.chaos.outcome import Fault, Journal, Outcome, judge, remains
from benchmarks.chaos.watch import Watch

_KILLED_AFTER = "/round000003.json"
# The files of the newest checkpoint; the other of a kind is the checkpoint before it.
FILES: Mapping[str, str] = MappingProxyType(
    {
        "weights of a checkpoint": "state/pretrain/*/*/round00000?.safetensors",
        "commit of a checkpoint": "state/pretrain/*/*/round00000?.json",
        "kept model in the state": "state/pretrain/*/*/milestones/round?.safetensors",
    }
)


def damages(
    reference: Clone, expected: dict[str, str], folder: Path, *, seed: int, done: Journal
) -> Iterator[Fault]:
    """Yield each damage to each file of a checkpoint."""
    names = {f"{kind}, {way}": (kind, way) for kind in FILES for way in WAYS}
    left = {name: parts for name, parts in names.items() if not done.has(name)}
    killed = killed_training(reference, folder / "killed") if left else reference
    for name, (kind, way) in left.items():
        shutil.rmtree(folder / "resumed", ignore_errors=True)
        clone = killed.copy(folder / "resumed")
        source = random.Random(f"{seed} {name}")
        *others, path = sorted(clone.folder.glob(FILES[kind]))
        try:
            damage(path, others, way=way, source=source)
        except LookupError as reason:
            yield Fault(kind, way, name, Outcome.MISSED, detail=str(reason))
            continue
        ended = clone.again()
        outcome, detail = judge(clone, ended, expected, named=path.name)
        yield Fault(kind, way, name, outcome, detail=detail, left=remains(clone, ended))


def killed_training(reference: Clone, folder: Path) -> Clone:
    """Return a copy of the finished run in which a pretraining was killed after its third round."""
    shutil.rmtree(folder, ignore_errors=True)
    # Snakemake makes a middle file again only if it is asked for.
    clone = reference.copy(folder).asking(f"{{results}}/pretrain/{SOUND_CELL}/model.safetensors")
    cell = clone.folder / "pretrain" / SOUND_CELL
    # What the cell is scored with is not removed: the model will be the same.
    for path in (cell / "model.safetensors", cell / "rounds.csv", cell / "provenance.json"):
        path.unlink()
    shutil.rmtree(cell / "milestones")
    run = clone.start_again()
    with Watch(clone.folder) as watch:
        for name in watch.appeared(600):
            if name.endswith(_KILLED_AFTER):
                run.kill("everything")
                return clone
            if not run.running:
                break
    raise RuntimeError(f"the pretraining was not killed:\n{run.wait().printed}")
