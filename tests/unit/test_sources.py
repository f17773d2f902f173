"""Which modules are the code of a job."""

from fedssl.record.sources import reachable
from tests.unit.figures import ROOT


def test_what_only_a_type_checker_imports_is_no_part_of_a_jobs_code() -> None:
    names = reachable(ROOT / "workflow/scripts/product.py", "fedssl.paper.products.table")
    assert "fedssl.paper.tables" in names
    assert "fedssl.grid.plan" not in names, "an edit of planning would rewrite every table"


def test_a_products_job_has_the_code_of_its_own_kind_only() -> None:
    names = reachable(ROOT / "workflow/scripts/product.py", "fedssl.paper.products.gains")
    kinds = {name for name in names if name.startswith("fedssl.paper.products.")}
    assert kinds == {f"fedssl.paper.products.{name}" for name in ("gains", "product", "registry")}
