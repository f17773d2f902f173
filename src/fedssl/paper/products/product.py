"""The contract of a table or figure kind, and how its files are written.

A kind is one module of this package with a `PRODUCT`. The module says which products of the kind
a run has, what each is made of, and how it is written. Rules, targets, the report page, the
RO-Crate and the audit read nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from fedssl.grid.paths import record_of

if TYPE_CHECKING:
    import pandas as pd

    from fedssl.grid.plan import Plan
    from fedssl.paper.text_table import TextTable

Spec = Mapping[str, Any]
Files = Mapping[str, str | Path]  # output name -> path
Axes = Mapping[str, Mapping[str, str]]  # row -> its axes
_SUFFIXES = {"seeds": "seeds.json"}
FIGURE = ("pdf", "png", "svg")


def _no_axes(_plan: Plan, _name: str) -> Axes:
    return {}


@dataclass(frozen=True)
class Product:
    """A kind of table or figure.

    Attributes:
        names: Gives the products of the kind that a run has: name -> study, which is empty for a
            product of no study.
        spec: Gives what the job of a product is told, as plain data. The job reads the files that
            it names, and the job's record keeps it.
        inputs: Gives the files that the job reads, by name.
        tables: The suffixes of the files in `tables/`, "seeds" for `.seeds.json`.
        write: Writes these files from a spec; the audit calls it again and compares.
        draw: Draws the PDF, PNG and SVG in `figures/` from a spec.
        columns: What the CSV starts with.
        shown: How the page shows the table: "numbers", "gains" or "rows"; nothing without one.
        text_table: Gives the table as text, of its CSV and spec, where it is shown as rows.
        axes: Gives the axes of each row, which the page filters by.
        folder: Where the file that stands for the product and its record lie.
        is_target: Whether the product's name is a target.
    """

    names: Callable[[Plan], Mapping[str, str]]
    spec: Callable[[Plan, str], dict[str, Any]]
    inputs: Callable[[Plan, str], Mapping[str, Any]]
    tables: tuple[str, ...] = ()
    write: Callable[[Spec, Files], None] | None = None
    draw: Callable[[Spec, Files], None] | None = None
    columns: tuple[str, ...] = ()
    shown: str = ""
    text_table: Callable[[pd.DataFrame, Spec], TextTable] | None = None
    axes: Callable[[Plan, str], Axes] = _no_axes
    folder: Literal["tables", "figures"] = "tables"
    is_target: bool = True

    def files(self, results: str, name: str) -> dict[str, str]:
        """Return the files that the job of a product writes, by output name."""
        tables = {
            kind: f"{results}/tables/{name}.{_SUFFIXES.get(kind, kind)}" for kind in self.tables
        }
        figure = {kind: f"{results}/figures/{name}.{kind}" for kind in FIGURE if self.draw}
        return tables | figure

    def target(self, results: str, name: str) -> str:
        """Return the file that stands for a product."""
        return f"{results}/{self.folder}/{name}.{'pdf' if self.folder == 'figures' else 'csv'}"

    def record(self, results: str, name: str) -> str:
        """Return the record of the job that writes a product."""
        return record_of(self.target(results, name))


def make(product: Product, spec: Spec, files: Files) -> None:
    """Write all files of a product."""
    if product.write:
        product.write(spec, {kind: files[kind] for kind in product.tables})
    if product.draw:
        product.draw(spec, {kind: files[kind] for kind in FIGURE})
