"""A small finished results folder, and how to forge its records."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.results_tree import write_results_tree

from fedssl.command.project import open_project
from fedssl.files import digest, read_json, write_json

ROOT = Path(__file__).parents[2]
CELL = "fssuavl/simclr/resnet18/fedavg/a0-i0-b100/base/seed0"
MODEL = f"pretrain/{CELL}/model.safetensors"
# One table of each kind of rows: an audit computes every table again.
TABLES = ("fssuavl_table2", "fssuavl_table4", "fssuavl_figure4a", "fassl_table3", "fassl_selection")
# One cell of each study, on few tasks; the tables keep their rows, which then say not-run.
GRID = """
studies:
  fssuavl:
    tasks: [{task: cifar10, split: test}, {task: fsdd, split: test}]
    cells:
      - {method: [simclr], arch: [resnet18], aggregator: [fedavg], split: [a0-i0-b100],
         variant: [base]}
  fassl:
    cells:
      - {method: [acop], arch: [resnet18], aggregator: [centralised], split: [a100-i0-b0],
         variant: [base]}
"""


def write_results(folder: Path, *, data_dir: str = "results/demo") -> Path:
    """Write the grid's finished results below a folder; return theirs."""
    (folder / "grid.yaml").write_text(f"{GRID}data_dir: {data_dir}\n")
    project = open_project([ROOT / "config/demo.yaml", folder / "grid.yaml"])
    tables = project.grid.config["tables"]
    for name in set(tables) - set(TABLES):
        del tables[name]
    return write_results_tree(project, folder, samples=12)


def sign(record: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Forge a record: change it, and give it the digest that fits."""
    content = read_json(record)
    change(content)
    del content["digest"]
    write_json(record, content | {"digest": digest(content)})
