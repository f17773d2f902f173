"""The how-to guides that add a part, executed literally in a copy of the project."""

import csv
import re
from pathlib import Path

import pytest
import yaml

from fedssl.grid.configuration import merge
from tests.unit.documents import Document
from tests.workflow.project import Project

_COMMANDS = re.compile(r"```bash\n(.*?)```", re.DOTALL)
_ROW = re.compile(r"The row `([^`]+)` is in `([^`]+\.csv)`")
SMALL = Path(__file__).with_name("small.yaml")
# What the recipes share.
PREPARED = (
    "results/demo/shards/fsdd/dirichlet-0.5-4/seed0.json",
    "results/demo/shards/tiny-imagenet/dirichlet-0.5-4/seed0.json",
    "results/demo/banks/speech-commands/bank.json",
)
RECIPES = {
    part: Document(f"docs/how-to/add-{article}-{part}.md")
    for part, article in {"aggregator": "an", "method": "a", "dataset": "a", "table": "a"}.items()
}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A copy with a small demo, its data sets dealt to clients."""
    project = Project.copy(tmp_path_factory.mktemp("prepared"))
    demo = project.root / "config/demo.yaml"
    small = merge(*(yaml.safe_load(file.read_text()) for file in (demo, SMALL)))
    demo.write_text(yaml.safe_dump(small, sort_keys=False))
    project.run("--cores", "2", "--", *PREPARED, config=("--configfile", "config/demo.yaml"))
    return project


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_ends_with_its_row(prepared: Project, tmp_path: Path, name: str) -> None:
    guide, project = RECIPES[name], prepared.clone(tmp_path / "project")
    for path, content in guide.files().items():
        write(project.root / path, content)
    project.shell("\n".join(_COMMANDS.findall(guide.text)))
    (promised,) = _ROW.findall(guide.text)
    row, table = promised
    with (project.root / table).open() as file:
        rows = list(csv.DictReader(file))
    found = [record for record in rows if record["row"] == row]
    assert found, f"{table} has the rows {sorted({record['row'] for record in rows})}"
    # A row of a table has a number in it; a scaled run never has another verdict.
    assert all(float(record["measured"]) >= 0.0 for record in found)
    assert {record["verdict"] for record in found} == {"scaled"}


def write(path: Path, content: str) -> None:
    """Write a new file; a recipe that replaces a shipped one would not be an addition."""
    assert not path.exists(), f"{path} is there already"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")
