"""The contract of a kind of table or figure.

A kind is one module of this package with a `PRODUCT`. The module names the products of the kind
that a run has, and says what each reads and how it is written. Rules, targets, the report page, the
RO-Crate and the audit read only this contract.
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
        names: Returns name -> study for the products of the kind that a run has. The study is
            empty for a product of all studies.
        spec: Returns the parameters of a product's job as plain data. They are kept in the job's
            record, and the job reads only the files that they name. `title` is the caption; its
            part before the first semicolon is the product's title.
        inputs: Returns the files that the job reads, by name.
        tables: Kinds of files in `tables/`: csv, md, html, tex, and seeds for `.seeds.json`.
        write: Writes these files from a spec. The audit calls it again and compares the files.
        draw: Draws the PDF, PNG and SVG in `figures/` or `report/` from a spec.
        shown: How the page shows the table: "numbers", "gains" or "rows"; empty for not at all.
        text_table: Returns the table as text from its CSV and spec; needed if shown as "rows".
        axes: Returns the axes of each row, by which the page filters.
        folder: Folder of the product's main file and its record. Files in `tables/` and `figures/`
            have the same bytes whenever the same run is repeated. A product that shows times is in
            `report/`, next to the page, which shows times too.
        is_target: Whether the product's name is a target on the command line.
    """

    names: Callable[[Plan], Mapping[str, str]]
    spec: Callable[[Plan, str], dict[str, Any]]
    inputs: Callable[[Plan, str], Mapping[str, Any]]
    tables: tuple[str, ...] = ()
    write: Callable[[Spec, Files], None] | None = None
    draw: Callable[[Spec, Files], None] | None = None
    shown: str = ""
    text_table: Callable[[pd.DataFrame, Spec], TextTable] | None = None
    axes: Callable[[Plan, str], Axes] = _no_axes
    folder: Literal["tables", "figures", "report"] = "tables"
    is_target: bool = True

    def files(self, results: str, name: str) -> dict[str, str]:
        """Return the files that the job of a product writes, by output name."""
        tables = {
            kind: f"{results}/tables/{name}.{_SUFFIXES.get(kind, kind)}" for kind in self.tables
        }
        drawn = "report" if self.folder == "report" else "figures"
        figure = {kind: f"{results}/{drawn}/{name}.{kind}" for kind in FIGURE if self.draw}
        return tables | figure

    def target(self, results: str, name: str) -> str:
        """Return the main file of a product, which its named target asks for."""
        return f"{results}/{self.folder}/{name}.{'csv' if self.folder == 'tables' else 'pdf'}"

    def record(self, results: str, name: str) -> str:
        """Return the provenance record of the job that writes a product."""
        return record_of(self.target(results, name))


def make(product: Product, spec: Spec, files: Files) -> None:
    """Write all files of a product."""
    if product.write:
        product.write(spec, {kind: files[kind] for kind in product.tables})
    if product.draw:
        product.draw(spec, {kind: files[kind] for kind in FIGURE})
