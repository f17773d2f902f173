"""The registry of tables and figures: complete, and true to the study that an entry names."""

import ast
from pathlib import Path

import pytest

from fedssl.errors import UserError
from fedssl.paper.page.plan import page_products
from fedssl.paper.plan import named_targets, target_files
from fedssl.paper.products.registry import KINDS, get_product, module_name
from fedssl.paper.products.table import check_tables
from fedssl.record.sources import module_path
from tests.unit.figures import ROOT, shipped_plan

TABLE = {
    "study": "fassl",
    "table": "mine",
    "title": "A table whose name does not begin with its study",
    "protocols": ["knn"],
    "columns": [{"column": "FSDD", "tasks": ["fsdd"]}],
    "rows": [{"row": "SimCLR", "arch": "resnet18", "split": "a100-i0-b0"}],
}


def test_every_module_with_a_product_is_registered() -> None:
    modules = Path(module_path("fedssl.paper.products.registry")).parent.glob("*.py")
    declaring = {path.stem for path in modules if declares_a_product(path)}
    assert declaring == set(KINDS)


def declares_a_product(path: Path) -> bool:
    assigned = (node for node in ast.parse(path.read_text()).body if isinstance(node, ast.Assign))
    return any(ast.unparse(node.targets[0]) == "PRODUCT" for node in assigned)


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_has_its_module_and_its_caption(kind: str) -> None:
    assert module_path(module_name(kind)).is_file()
    assert (ROOT / "workflow/report" / f"{kind}.rst").is_file()
    product = get_product(kind)
    assert bool(product.write) == bool(product.tables)
    assert product.shown in ("", "numbers", "gains", "rows")
    assert (product.shown == "rows") == (product.text_table is not None)


def test_a_table_belongs_to_the_study_that_its_entry_names() -> None:
    plan = shipped_plan("demo.yaml", tables={"mytable": TABLE})
    file = "results/tables/mytable.csv"
    assert target_files(plan, "fassl")["mytable"] == file
    assert "mytable" not in target_files(plan, "fssuavl")
    assert "mytable" in named_targets(plan)
    assert file in {entry["table"] for entry in page_products(plan)}


def test_a_table_without_columns_takes_the_tasks_of_its_modality() -> None:
    empty = TABLE | {"columns": []}
    heard = shipped_plan("demo.yaml", tables={"mytable": empty | {"modality": "audio"}})
    check_tables(heard)
    tasks = [column["tasks"] for column in get_product("table").spec(heard, "mytable")["columns"]]
    assert tasks == [["speech-commands"]]
    with pytest.raises(UserError, match=r"tables.mytable.columns is empty; name a column, or give"):
        check_tables(shipped_plan("demo.yaml", tables={"mytable": empty}))


def test_products_have_names_of_their_own() -> None:
    plan = shipped_plan()
    targets = [
        name
        for kind in KINDS
        if get_product(kind).is_target
        for name in get_product(kind).names(plan)
    ]
    assert len(targets) == len(set(targets))
    assert not set(targets) & set(KINDS), "a rule and a target of one name"
