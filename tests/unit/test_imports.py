"""Imports go one way: grid <- record <- (data, science) <- paper <- audit, crate, command."""

from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests.unit.imports import Graph, module_graph, package_graph, package_of, picture

SCIENCE = {"data", "views", "backbones", "methods", "aggregators", "federation", "evaluation"}
MAY_IMPORT = {
    "grid": set(),
    "record": {"grid"},
    **dict.fromkeys(SCIENCE, SCIENCE | {"grid", "record"}),
    "flower": SCIENCE | {"grid"},
    "resources": {"grid", "record"},
    "slurm": {"grid", "record"},
    "rehearsal": SCIENCE | {"grid", "record", "resources"},
    "paper": SCIENCE | {"grid", "record"},
    **dict.fromkeys(("audit", "crate"), SCIENCE | {"grid", "record", "paper"}),
    "terminal": {"grid", "record", "paper"},
    "exported": SCIENCE | {"grid", "record"},
    "schema": SCIENCE | {"grid", "record", "resources", "paper"},
    "command": SCIENCE
    | {"grid", "record", "resources", "rehearsal", "paper", "audit", "crate", "schema", "exported"}
    | {"slurm"},
}
# Science computes from what it is given. Only its planning functions know the grid, the results
# tree and the records; all of it may use the words for splits, pairs and what is transmitted.
PLANNED = {
    "data.plan",
    "data.plan_banks",
    "federation.plan",
    "evaluation.plan",
    "evaluation.plan_pairs",
}
WORDS = {"grid.splits", "grid.paired_protocols", "grid.transmission"}
# These read the configuration files themselves: a user's own datasets, and `fedssl mirror`.
CONFIGURED = {
    "data.own.dataset_entry": {"grid.configuration", "grid.places"},
    "data.fetch.mirror": {
        "grid.complaint",
        "grid.configuration",
        "grid.paths",
        "grid.places",
    },
    "data.fetch.pins": {"grid.yaml_file"},
}


def against_the_direction(modules: Graph) -> list[str]:
    packages = package_graph(modules)
    return sorted(
        f"{name} imports {other}"
        for name, imported in packages.items()
        for other in imported - MAY_IMPORT[name]
    )


def science_that_plans(modules: Graph) -> list[str]:
    found = []
    for module, imported in modules.items():
        name = module.removeprefix("fedssl.")
        if not package_of(module, SCIENCE) or name in PLANNED:
            continue
        places = {other for other in imported if package_of(other, ("grid", "record"))}
        allowed = WORDS | CONFIGURED.get(name, set())
        found += [f"{name} imports {p}" for p in places if p.removeprefix("fedssl.") not in allowed]
    return sorted(found)


def circle(graph: Graph) -> list[str]:
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def test_packages_import_one_way() -> None:
    modules = module_graph()
    assert against_the_direction(modules) == []
    assert package_graph(modules).keys() == MAY_IMPORT.keys(), "say here what a new one may import"


def test_only_planning_modules_of_the_science_know_the_grid_and_the_records() -> None:
    assert science_that_plans(module_graph()) == []


def test_neither_packages_nor_modules_import_in_a_circle() -> None:
    assert circle(package_graph(module_graph())) == []
    assert circle(module_graph(types=False)) == []


@pytest.mark.parametrize(
    ("file", "text", "wrong"),
    [
        ("grid/cell.py", "from fedssl.record import read", "grid imports record"),
        ("grid/__init__.py", "import fedssl.paper.specs", "grid imports paper"),
        ("views/a.py", "def f():\n    from fedssl.paper.specs import x", "views imports paper"),
        ("views/a.py", "from fedssl.grid.paths import ResultPaths", "views.a imports grid.paths"),
    ],
)
def test_an_import_against_the_direction_is_found(
    file: str, text: str, wrong: str, tmp_path: Path
) -> None:
    known = ("grid/cell.py", "grid/paths.py", "record/read.py", "paper/specs.py", "views/a.py")
    for name in {file, *known}:
        path = tmp_path / "fedssl" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        (path.parent / "__init__.py").touch()
        path.touch()
    (tmp_path / "fedssl/__init__.py").touch()
    (tmp_path / "fedssl" / file).write_text(f"{text}\n")
    modules = module_graph(tmp_path)
    assert [*against_the_direction(modules), *science_that_plans(modules)] == [
        wrong.replace("grid.paths", "fedssl.grid.paths")
    ]


def test_a_circle_is_found() -> None:
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"a"}}) and not circle({"a": {"b"}, "b": set()})


def test_the_picture_has_a_line_for_each_package() -> None:
    packages = package_graph(module_graph())
    assert len(picture(packages).splitlines()) == len(packages)
