"""Rules over the shipped configuration, and what the drawing of every figure must keep."""

import subprocess
import sys
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml

from fedssl.grid.cells import Grid
from fedssl.grid.configuration import Layer, merged
from fedssl.grid.paths import ResultPaths
from fedssl.grid.plan import Plan

ROOT = Path(__file__).parents[2]
SHIPPED = ("config.yaml", "experiments.yaml", "datasets.yaml")
KINDS = ("pdf", "png", "svg")


def shipped(*names: str, **changes: Any) -> tuple[Grid, list[Layer]]:
    """Return the grid of the shipped files, of `names` on top, and of changes on top of those."""
    files = [ROOT / "config" / name for name in (*SHIPPED, *names)]
    layers = [Layer(file.name, yaml.safe_load(file.read_text())) for file in files]
    layers.append(Layer("--config", changes))
    return Grid(merged(layers), layers), layers


def shipped_plan(*names: str, results: str = "results", **changes: Any) -> Plan:
    """Return the plan of the same grid."""
    grid, layers = shipped(*names, **changes)
    return Plan(grid, ResultPaths(results), ROOT, layers, shipped=len(SHIPPED))


def outputs(folder: Path) -> dict[str, Path]:
    return {kind: folder / f"figure.{kind}" for kind in KINDS}


def same_bytes_in_another_process(module: str, spec: Mapping[str, Any], folder: Path) -> None:
    """Draw in a process of another clock and other matplotlib settings, and compare."""
    once, again = outputs(folder / "once"), outputs(folder / "again")
    import_module(module).PRODUCT.draw(spec, once)
    files = {kind: str(path) for kind, path in again.items()}
    program = f"from {module} import PRODUCT\nPRODUCT.draw({spec!r}, {files!r})"
    (folder / "matplotlibrc").write_text("axes.titleweight: bold\nsavefig.bbox: tight\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MATPLOTLIBRC", str(folder / "matplotlibrc"))
        patch.setenv("SOURCE_DATE_EPOCH", "86400")
        patch.setenv("PYTHONPATH", ":".join(sys.path))
        subprocess.run([sys.executable, "-W", "error", "-c", program], check=True)
    for kind in KINDS:
        assert once[kind].read_bytes() == again[kind].read_bytes(), kind
