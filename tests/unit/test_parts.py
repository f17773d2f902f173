"""Parts (methods, aggregators, encoders): the settings that they declare, and cells they refuse."""

import os
import shutil
import subprocess
import sys
from dataclasses import asdict, fields
from importlib import import_module
from pathlib import Path
from typing import Any, get_type_hints

import pytest
import yaml

from fedssl.errors import UserError
from fedssl.grid import parts
from fedssl.grid.facts import Facts, fact, misfits
from fedssl.grid.transmission import parse_name
from tests.unit.figures import ROOT, shipped

BOTH, SOUND = "a0-i0-b100", "a100-i0-b0"


@pytest.mark.parametrize("axis", parts.AXES)
def test_the_shipped_settings_of_parts_are_the_declared_ones(axis: str) -> None:
    shipped = yaml.safe_load((ROOT / "config/experiments.yaml").read_text())
    for name, settings in shipped[parts.AXES[axis].section].items():
        declared = parts.declared_by(axis, name)
        derived = getattr(declared, "derived", {})
        found = {key: value for key, value in asdict(declared()).items() if key not in derived}
        assert found == settings, name


def test_planning_reads_what_parts_declare_without_importing_torch() -> None:
    program = (
        "import sys; from fedssl.command.project import open_project; open_project([]); "
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=ROOT)


def test_what_parts_declare_is_read_from_their_source(tmp_path: Path) -> None:
    """A new module works at once, and only one that cannot be read in part is imported."""
    project = Project(tmp_path)
    simclr = tmp_path / "src/fedssl/methods/simclr.py"
    assert project.declared("simclr") == ["view_batches temperature loss", "False"]
    extra = "        extra: int = 1\n\n        loss: Literal"
    simclr.write_text(simclr.read_text().replace("        loss: Literal", extra))
    assert project.declared("simclr") == ["view_batches temperature extra loss", "False"]
    (simclr.parent / "my_own.py").write_text(simclr.read_text())
    assert project.declared("my-own") == ["view_batches temperature extra loss", "False"]
    own = "from fedssl.methods.simclr import SimCLR\n\n\nclass MyOwn(SimCLR):\n    pass\n"
    (simclr.parent / "my_own.py").write_text(own)
    assert project.declared("my-own") == ["view_batches temperature extra loss", "True"]
    simclr.write_text(simclr.read_text().replace("extra: int = 1", "extra: int = len(EXTRAS)"))
    simclr.write_text(
        simclr.read_text().replace("_LOSSES =", "EXTRAS: tuple[int, ...] = ()\n_LOSSES =")
    )
    assert project.declared("simclr") == ["view_batches temperature extra loss", "True"]


@pytest.mark.parametrize("axis", parts.AXES)
def test_what_is_read_from_the_source_is_what_an_import_gives(axis: str) -> None:
    for name in parts.part_names(axis):
        read = parts.declared_by(axis, name)
        imported = import_module(parts.AXES[axis].package).declared(parse_name(name)[0])
        assert (
            get_type_hints(read, include_extras=True).items()
            <= get_type_hints(imported, include_extras=True).items()
        )
        assert [(f.name, f.type, f.default) for f in fields(read)] == [
            (f.name, f.type, f.default) for f in fields(imported)
        ]
        assert all(fact(read, key) == fact(imported, key) for key in get_type_hints(Facts))


class Project:
    """A copy of the package, the generated schemas and the settings reference."""

    def __init__(self, folder: Path) -> None:
        shutil.copytree(ROOT / "src", folder / "src", ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copytree(ROOT / "config", folder / "config")
        self._folder = folder

    def declared(self, method: str) -> list[str]:
        """Return the settings of a method, and whether torch was imported to know them."""
        program = (
            "import sys; from dataclasses import fields; from fedssl.grid import parts\n"
            f"assert {method!r} in parts.part_names('method')\n"
            f"print(*(f.name for f in fields(parts.declared_by('method', {method!r}))))\n"
            "print('torch' in sys.modules)"
        )
        environment = {**os.environ, "PYTHONPATH": str(self._folder / "src")}
        command = [sys.executable, "-c", program]
        return subprocess.check_output(command, text=True, env=environment).splitlines()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (
            {"method": ["acop"], "split": [BOTH]},
            "cells[0].split has a0-i0-b100, which gives clients image, but acop trains on audio",
        ),
        (
            {"arch": ["vit"], "settings": {"optimiser": {"lr": 0.1}}, "image": 96},
            "settings.image.size is 96 and audio.size 128; vit has one input size",
        ),
        (
            {"arch": ["vit"], "image": 100, "audio": 100},
            "settings.image.size is 100; vit needs a multiple of encoder.patch, 16",
        ),
        (
            {"aggregator": ["fedadam"], "settings": {"aggregator": {"server_lr": 0.0}}},
            "cells[0].settings.aggregator.server_lr is 0.0; it must be greater than or equal to",
        ),
    ],
)
def test_a_cell_that_a_part_cannot_run_is_refused(change: dict[str, Any], says: str) -> None:
    entry = {
        "method": ["simclr"],
        "arch": ["resnet18"],
        "aggregator": ["fedavg"],
        "split": [SOUND],
        "variant": ["base"],
        **{key: value for key, value in change.items() if key not in ("image", "audio")},
    }
    views = {name: {"size": change[name]} for name in ("image", "audio") if name in change}
    study = {"cells": [entry], "settings": {**views, "federation": {"kept_rounds": []}}}
    with pytest.raises(UserError) as error:
        shipped(studies={"fssuavl": study})
    assert f"--config: studies.fssuavl.{says}" in str(error.value)


def test_a_batch_that_a_part_cannot_take_is_refused() -> None:
    declared = parts.declared_by("method", "barlow-twins")
    cell = {
        "method": {},
        "split": BOTH,
        "image": {"size": 8},
        "audio": {"size": 8},
        "federation": {"batch_size": 1},
    }
    assert [*misfits("barlow-twins", declared, cell, key="method")] == [
        (("federation", "batch_size"), "is 1; barlow-twins needs at least 2")
    ]


def test_a_part_without_settings_of_its_own_is_named() -> None:
    entry = {
        "method": ["simclr"],
        "arch": ["resnet18"],
        "aggregator": ["new-bb"],
        "split": [SOUND],
        "variant": ["base"],
    }
    with pytest.raises(UserError, match=r"names 'new-bb', .* add aggregators\.new, \{\} if"):
        shipped(studies={"fssuavl": {"cells": [entry]}})
