"""A state folder that was damaged between two attempts: the same bits, or a loud way back."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from benchmarks.chaos.watch import Watch

from fedssl.errors import UserError
from fedssl.federation import rounds
from fedssl.federation.checkpoint import load_checkpoint, save_checkpoint, save_state
from fedssl.federation.milestones import Milestones, milestone
from fedssl.files import atomic_write, sha256
from tests.unit.federations import SETTINGS, history, lay_out, run

SHORT = {"federation": SETTINGS["federation"] | {"rounds": 3, "kept_rounds": [0, 1, 3]}}  # type: ignore[operator]
NEWEST = "round000002"


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return lay_out(tmp_path_factory.mktemp("federation"))


@pytest.fixture(scope="module")
def whole(inputs: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    run(inputs, folder, **SHORT)
    return folder


@pytest.fixture(scope="module")
def after_two(inputs: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that was stopped in its third round."""
    folder = tmp_path_factory.mktemp("stopped")
    run_round = rounds.run_round

    def stopped(*arguments: object) -> object:
        if arguments[2] == 3:
            raise KeyboardInterrupt
        return run_round(*arguments)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rounds, "run_round", stopped)
        with pytest.raises(KeyboardInterrupt):
            run(inputs, folder, **SHORT)
    return folder


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def text(content: str) -> Callable[[Path], None]:
    return lambda path: path.write_text(content) and None  # type: ignore[return-value]


def edited(path: Path) -> None:
    commit = json.loads(path.read_text())
    commit["rows"][0]["loss"] = 0.0
    path.write_text(json.dumps(commit))


def renamed(path: Path) -> None:
    """Replace the newest checkpoint by a copy of the one before."""
    for suffix in (".json", ".safetensors"):
        shutil.copy(path.with_name(f"round000001{suffix}"), path.with_suffix(suffix))


def stray(path: Path) -> None:
    for name in ("round000002 (1).json", "round000009.sync-conflict.json", "round9.json"):
        shutil.copy(path, path.with_name(name))
    path.with_name("round000007.json").mkdir()


MILESTONE = "milestones/round1.safetensors"
DAMAGES = [
    *((MILESTONE, damage, True) for damage in (flip, cut, empty, Path.unlink)),
    *((f"{NEWEST}.safetensors", damage, True) for damage in (flip, empty, Path.unlink)),
    *((f"{NEWEST}.json", text(own), True) for own in ("", "{", "[]", "null", '{"round": 2}')),
    (f"{NEWEST}.json", edited, True),
    (f"{NEWEST}.json", renamed, True),
    (f"{NEWEST}.json", stray, False),
]


@pytest.mark.parametrize(("name", "damage", "said"), DAMAGES)
def test_damage_between_two_attempts_changes_no_bit_of_the_result(
    inputs: dict[str, str],
    whole: Path,
    after_two: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    name: str,
    damage: Callable[[Path], None],
    said: bool,
) -> None:
    shutil.copytree(after_two, tmp_path, dirs_exist_ok=True)
    [folder] = (tmp_path / "state").iterdir()
    damage(folder / name)
    model = run(inputs, tmp_path, **SHORT)
    assert sha256(model) == sha256(whole / model.name)
    assert history(tmp_path) == history(whole)
    for number in (0, 1, 3):
        kept = milestone(tmp_path / "milestones", number)
        assert sha256(kept) == sha256(milestone(whole / "milestones", number))
    assert ("is not used" in caplog.text) == said


@pytest.mark.parametrize("name", [MILESTONE, f"{NEWEST}.safetensors"])
def test_a_folder_in_place_of_a_file_is_named(
    inputs: dict[str, str], after_two: Path, tmp_path: Path, name: str
) -> None:
    shutil.copytree(after_two, tmp_path, dirs_exist_ok=True)
    [folder] = (tmp_path / "state").iterdir()
    (folder / name).unlink()
    (folder / name).mkdir()
    with pytest.raises(UserError, match=rf"{name} is a folder, but a file belongs there; remove"):
        run(inputs, tmp_path, **SHORT)


def test_only_the_damaged_checkpoint_is_passed_over(after_two: Path, tmp_path: Path) -> None:
    shutil.copytree(after_two, tmp_path, dirs_exist_ok=True)
    [folder] = (tmp_path / "state").iterdir()
    assert (found := load_checkpoint(folder)) is not None and found.round == 2
    assert found.kept.keys() == {"milestones/round0.safetensors", MILESTONE}
    flip(folder / f"{NEWEST}.safetensors")
    assert (found := load_checkpoint(folder)) is not None and found.round == 1


def test_a_checkpoint_of_other_settings_is_not_used(tmp_path: Path) -> None:
    parts = {"model": {"w": torch.ones(3)}}
    save_checkpoint(tmp_path / "one-key/inputs", 1, parts, [])
    shutil.copytree(tmp_path / "one-key/inputs", tmp_path / "another-key/inputs")
    assert load_checkpoint(tmp_path / "another-key/inputs") is None
    # A results folder that moves keeps its checkpoints.
    shutil.copytree(tmp_path / "one-key", tmp_path / "moved/one-key")
    assert load_checkpoint(tmp_path / "moved/one-key/inputs") is not None


def test_a_kept_model_that_changes_while_the_cell_trains_is_not_delivered(tmp_path: Path) -> None:
    kept = Milestones(tmp_path, [0, 2])
    for number in (0, 1, 2):
        kept.keep(number, {"w": torch.full((3,), float(number))})
    kept.deliver(tmp_path / "whole")
    flip(tmp_path / "milestones/round2.safetensors")
    with pytest.raises(UserError, match=r"round2\.safetensors was changed or removed.*run again"):
        kept.deliver(tmp_path / "damaged")
    assert not milestone(tmp_path / "damaged", 2).exists()


def test_a_model_is_written_under_a_name_that_the_next_attempt_removes(tmp_path: Path) -> None:
    with Watch(tmp_path) as watch:
        save_state({"a": torch.zeros(9)}, tmp_path / "model.safetensors")
        appeared = {name for name in watch.appeared(0.5) if name}
    # safetensors' own writer has temporary files of its own, which a kill would leave for ever.
    assert all(
        re.fullmatch(r"(\.model\.safetensors\..*\.part|model\.safetensors)", name)
        for name in appeared
    )
    assert len(appeared) == 2


def test_what_a_killed_write_left_is_removed(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, 1, {"model": {"w": torch.ones(3)}}, [])
    for name in (".round000002.safetensors.abc.part", "milestones/.round1.safetensors.x.part"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"half")
    assert load_checkpoint(tmp_path) is not None
    assert not list(tmp_path.rglob("*.part"))
    # The names that `atomic_write` gives are those that are looked for.
    with atomic_write(tmp_path / "a.json") as temporary:
        assert temporary in tmp_path.glob(".*.part")
