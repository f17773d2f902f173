"""Specifications of tables, and the metric files that they read."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

from markdown_it import MarkdownIt

from fedssl.paper.published import read_published
from fedssl.paper.tables import COLUMNS, build_table, write_table

NUMBERS = """study,table,row,column,protocol,value,page,note
demo,2,Ours,IMG,knn,50.00,3,
demo,2,Ours,C-10,knn,60.00,3,suspicious: a typo & more
demo,2,Ours,Avg.,knn,55.00,3,
demo,2,Ours,IMG,linear-probe,70.00,3,
demo,2,Later,IMG,knn,40.00,3,
demo,2,Theirs,C-10,knn,71.58,3,
demo,3,Ours,IMG,knn,99.00,3,
"""
TASKS = {"IMG": ["img"], "C-10": ["c10"], "Avg.": ["img", "c10"]}


def cell(folder: Path, seed: int, n_eval: int = 400, **values: float) -> dict[str, Any]:
    """Write one seed's metric files; return its entry in a table's spec."""
    metrics = {}
    for task, value in values.items():
        path = folder / f"evaluate/seed{seed}/{task}/knn.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        metric = {"task": task, "protocol": "knn", "value": value, "n_eval": n_eval}
        path.write_text(json.dumps(metric | {"predictions": "knn.parquet"}), encoding="utf-8")
        metrics[task] = str(path)
    model = f"results/pretrain/seed{seed}/model.safetensors"
    return {"seed": seed, "cell": model, "metrics": {"knn": metrics}}


def spec(*cells: dict[str, Any], scale: str = "paper") -> dict[str, Any]:
    return {
        "study": "demo",
        "table": "2",
        "title": "A & B",
        "not_held_to": [],
        "not_comparable": {},
        "resolution": 3.0,
        "scale": scale,
        "scale_note": "mini: 20 clients",
        "columns": [{"column": c, "protocol": "knn", "tasks": t} for c, t in TASKS.items()],
        "rows": [
            {"row": "Ours", "declared": True, "cells": list(cells)},
            {"row": "Later", "declared": False, "cells": []},
            {"row": "Theirs", "published_only": True},
        ],
    }


def rows(given: dict[str, Any], published: Path) -> dict[tuple[str, str], dict[str, Any]]:
    frame, _ = build_table(given, published=read_published([published]))
    assert tuple(frame.columns) == COLUMNS
    return {(r["row"], r["column"]): r for r in frame.to_dict("records")}


def write(given: dict[str, Any], published: Path, *, folder: Path) -> dict[str, str]:
    outputs = {kind: folder / f"tables/out.{kind}" for kind in ("csv", "md", "tex")}
    outputs["seeds"] = folder / "tables/out.seeds.json"
    write_table(given | {"published": [published]}, outputs)
    return {kind: path.read_text(encoding="utf-8") for kind, path in outputs.items()}


def cells_of(markdown: str) -> list[list[str]]:
    """Return a Markdown table's cells as a renderer reads them."""
    tokens = MarkdownIt("commonmark").enable("table").parse(markdown)
    table: list[list[str]] = []
    for opening, token in pairwise(tokens):
        if token.type == "tr_open":
            table.append([])
        if opening.type in ("th_open", "td_open"):
            table[-1].append("".join(child.content for child in token.children or []))
    return table
