"""Communication: the bytes that the clients of each cell would send, receive and keep."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

from fedssl.errors import UserError
from fedssl.files import read_json
from fedssl.frames import read_csv
from fedssl.grid.cell import AXES, CENTRALISED
from fedssl.grid.transmission import parse_name
from fedssl.paper.names import BACKBONE_ONLY, FULL, NOT_FEDERATED
from fedssl.paper.products.communication_figure import communication_figure
from fedssl.paper.products.product import Axes, Files, Product, Spec
from fedssl.paper.rows import by_axes, cell_axes, label
from fedssl.paper.style import Drawing
from fedssl.paper.table_footers import EMPTY
from fedssl.paper.text_table import TextTable, scale_mark, scale_notes, write_table_files
from fedssl.paper.verdict import Verdict

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from fedssl.grid.cell import Cell
    from fedssl.grid.plan import Plan

_WAYS = ("bytes_up", "bytes_down")
_MEMORIES = ("client_memory_bytes", "server_memory_bytes")
# Suffix of the columns, unit in bytes (MB and GB), and format of the printed numbers.
_PRINTED = (("_per_client_round", 1e6, ".3f"), ("_per_round", 1e6, ".3f"), ("", 1e9, ".4f"))
COLUMNS = (
    "study",
    *AXES,
    "transmission",
    "n_seeds",
    "rounds",
    "clients_per_round",
    *(f"{way}_per_client_round" for way in _WAYS),
    *(f"{way}_per_round" for way in _WAYS),
    *_WAYS,
    *_MEMORIES,
    "saving_percent",
    "status",
)
COUNTED = (
    "A client sends (up) and receives (down) the model state with its buffers once per visit. "
    "Bytes are counted in float32 (BatchNorm counters in int64), uncompressed and without protocol "
    "overhead, and averaged over seeds. Backbone-only omits the head. Its saving is relative to "
    "the same cell that sends everything. A client keeps tensors of its method and of its "
    "aggregator between its rounds; the server keeps the model and the state of the aggregator."
)


def names(plan: Plan) -> dict[str, str]:
    """Return one table and figure per study."""
    return {f"{study}_communication": study for study in plan.studies}


def spec(plan: Plan, name: str) -> dict[str, Any]:
    """Return the cells of a study, and the files with the traffic of each seed."""
    study = names(plan)[name]
    return {
        "study": study,
        "title": f"{study}: bytes that the clients send and receive, mean over seeds",
        **plan.grid.scale,
        "cells": [
            {
                "label": label(plan.grid, seeds[0]),
                **seeds[0].axes,
                "seeds": [_files(plan, cell) for cell in seeds],
            }
            for seeds in by_axes(plan.grid, study)
        ],
    }


def inputs(plan: Plan, name: str) -> dict[str, list[str]]:
    """Return the record and the history of each cell of a study."""
    cells = plan.grid.select(study=names(plan)[name])
    return {"cells": [path for cell in cells for path in _files(plan, cell).values()]}


def axes(plan: Plan, name: str) -> Axes:
    """Return the axes of each cell."""
    return cell_axes(plan, names(plan)[name])


def write(spec: Spec, files: Files) -> None:
    """Write the bytes of a study's cells as CSV (exact) and Markdown (MB and GB)."""
    frame = communication(spec)
    write_table_files(frame, text_table(frame, spec), files)


def _figure(spec: Spec) -> Figure:
    return communication_figure(communication(spec), spec)


def communication(spec: Spec) -> pd.DataFrame:
    """Return one row per cell with the columns `COLUMNS`, averaged over seeds.

    `saving_percent` is how much less a backbone-only cell sends than the same cell that sends
    everything; NaN if there is no such cell. `status` is counted or, in a scaled run, scaled: its
    counts are exact, but those of a smaller model or fewer rounds are not the paper's.

    Args:
        spec: study, title, scale, scale_note, and cells with their axes, label and, for each seed,
            the paths `provenance` and `rounds` of its pretraining job.

    Raises:
        UserError: The bytes of a job are not a multiple of the number of client visits.
    """
    status = "counted" if spec["scale"] == "paper" else Verdict.SCALED
    records = [
        {"study": spec["study"], "status": status, **{axis: cell[axis] for axis in AXES}}
        | _counts(cell)
        for cell in spec["cells"]
    ]
    frame = pd.DataFrame.from_records(records)
    frame["saving_percent"] = _savings(frame)
    return frame[list(COLUMNS)]


def _files(plan: Plan, cell: Cell) -> dict[str, str]:
    return {"provenance": plan.paths.provenance(cell), "rounds": plan.paths.rounds(cell)}


def _counts(cell: Mapping[str, Any]) -> dict[str, Any]:
    sent = {"all": FULL, "backbone": BACKBONE_ONLY}[parse_name(cell["aggregator"])[1]]
    kind = NOT_FEDERATED if cell["aggregator"] == CENTRALISED else sent
    seeds = pd.DataFrame([_seed(**seed, federated=kind != NOT_FEDERATED) for seed in cell["seeds"]])
    means = {str(name): mean for name, mean in seeds.mean().items()}
    return {"transmission": kind, "n_seeds": len(seeds), **means}


def _seed(*, provenance: str, rounds: str, federated: bool) -> dict[str, float]:
    """Return the counts of one job. All bytes are 0 if the job is not federated."""
    history = read_csv(rounds)
    # A client that trains two modalities in a round has two lines and is visited once.
    history = history.drop_duplicates(["round", "client"])
    n_rounds, visits = history["round"].nunique(), len(history)
    # Clients that are absent or whose update was dropped are not counted as sending. Not every
    # history has these columns.
    reasons = history.reindex(columns=["absent", "dropped"])
    used = int(reasons.isna().all(axis=1).sum())
    counts: dict[str, float] = {
        "rounds": n_rounds,
        "clients_per_round": visits / n_rounds if federated else 0,
    }
    record = read_json(provenance)
    counts |= {name: record[name] if federated else 0 for name in _MEMORIES}
    for way, transfers in zip(_WAYS, (used, visits), strict=True):
        total = record[way] if federated else 0
        # Every visit transfers the same state, so a remainder means that the files are of two runs.
        if total % transfers:
            raise UserError(
                f"{provenance}: {way} is {total}, which is not a multiple of the {transfers} "
                f"transfers in {rounds}; pretrain the cell again."
            )
        counts |= {
            way: total,
            f"{way}_per_round": total / n_rounds,
            f"{way}_per_client_round": total // transfers,
        }
    return counts


def _savings(frame: pd.DataFrame) -> list[float | None]:
    """Return the saving of each backbone-only row against the row that sends everything."""
    sent = {
        tuple(record[axis] for axis in AXES): record["bytes_up_per_client_round"]
        + record["bytes_down_per_client_round"]
        for record in frame.to_dict("records")
    }
    place = AXES.index("aggregator")
    full = [(*cell[:place], parse_name(cell[place])[0], *cell[place + 1 :]) for cell in sent]
    return [
        100 * (1 - sent[cell] / sent[other]) if other != cell and other in sent else None
        for cell, other in zip(sent, full, strict=True)
    ]


def text_table(frame: pd.DataFrame, spec: Spec) -> TextTable:
    """Return the bytes in MB and GB, one row per cell."""
    labels = [cell["label"] for cell in spec["cells"]]
    rows = zip(labels, frame.to_dict("records"), strict=True)
    return TextTable(
        title=f"{spec['title']}{scale_mark(spec)}",
        header=(
            *("pretraining", "sent", "rounds", "clients per round", "up per client and round, MB"),
            *("down per client and round, MB", "up per round, MB", "down per round, MB"),
            *("total up, GB", "total down, GB", "kept by a client, MB", "kept by the server, MB"),
            "saving, %",
        ),
        rows=tuple(_text_row(label, record) for label, record in rows),
        notes=(COUNTED, *scale_notes(spec)),
    )


def _text_row(label: str, record: Mapping[Any, Any]) -> tuple[str, ...]:
    # The zeros of a cell that is not federated are exact at any scale.
    scaled = record["status"] == Verdict.SCALED and record["transmission"] != NOT_FEDERATED
    dagger = "†" if scaled else ""
    numbers = [
        (record[f"{way}{suffix}"] / unit, form) for suffix, unit, form in _PRINTED for way in _WAYS
    ]
    numbers += [(record[name] / 1e6, ".3f") for name in _MEMORIES]
    saving = record["saving_percent"]
    return (
        label,
        record["transmission"],
        f"{record['rounds']:g}",
        f"{record['clients_per_round']:g}",
        *(f"{format(number, form) if number else '0'}{dagger}" for number, form in numbers),
        EMPTY if pd.isna(saving) else f"{saving:.1f}{dagger}",
    )


PRODUCT = Product(
    names=names,
    spec=spec,
    inputs=inputs,
    tables=("csv", "md", "html"),
    write=write,
    draw=Drawing(_figure),
    shown="rows",
    text_table=text_table,
    axes=axes,
)
