import csv
import json
import math
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from markdown_it import MarkdownIt
from scipy.stats import binomtest

from fedssl.errors import UserError
from fedssl.paper.measurement import measure
from fedssl.paper.published import read_published
from fedssl.paper.tables import COLUMNS, build_table, write_table
from fedssl.paper.text_table import TextTable, to_latex, to_markdown

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


@pytest.fixture
def published(tmp_path: Path) -> Path:
    path = tmp_path / "published.csv"
    path.write_text(NUMBERS, encoding="utf-8")
    return path


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


def test_columns_are_the_contract():
    assert ", ".join(COLUMNS) == (
        "study, table, row, column, published, measured, std, n_seeds, n_eval, delta, verdict, "
        "cell, task, protocol, low, high, chance, random_init, flags, predicted_low, "
        "predicted_high, seed_sd, seed_degrees, seeds_needed, reason, tau, tau_low, tau_high"
    )


def test_a_row_says_what_was_averaged_and_between_which_bounds(tmp_path, published):
    found = rows(spec(cell(tmp_path, 0, img=50.0, c10=60.0)), published)
    one, average = found["Ours", "IMG kNN"], found["Ours", "Avg. kNN"]
    assert (one["task"], one["protocol"]) == ("img", "knn")
    assert (average["task"], average["protocol"]) == ("img c10", "knn")
    wilson = binomtest(200, 400).proportion_ci(method="wilson")
    assert (one["low"], one["high"]) == pytest.approx((100 * wilson.low, 100 * wilson.high))


def test_seeds_and_tasks_are_averaged(tmp_path, published):
    seeds = [cell(tmp_path, 0, img=50.0, c10=60.0), cell(tmp_path, 1, img=53.0, c10=58.0)]
    found = rows(spec(*seeds), published)
    one, average = found["Ours", "IMG kNN"], found["Ours", "Avg. kNN"]
    assert (one["measured"], one["n_seeds"], one["n_eval"]) == (51.5, 2, 400)
    assert one["std"] == pytest.approx(3 / math.sqrt(2))
    assert one["delta"] == pytest.approx(1.5)
    assert one["cell"] == " ".join(seed["cell"] for seed in seeds)
    # 55 and 55.5 per seed: the spread of the average is not that of its tasks.
    assert (average["measured"], average["n_eval"]) == (55.25, 800)
    assert average["std"] == pytest.approx(0.5 / math.sqrt(2))


def test_the_seeds_file_has_what_each_seed_measured(written, tmp_path):
    entries = {(n["row"], n["column"]): n for n in json.loads(written["seeds"])["numbers"]}
    assert set(entries) == {("Ours", f"{column} kNN") for column in TASKS}
    assert entries["Ours", "IMG kNN"]["values"] == {"0": 49.0, "1": 50.00004}
    # sqrt(.495 x .505 / 400) = 2.5 points
    assert entries["Ours", "IMG kNN"]["error"] == pytest.approx(2.5, abs=0.02)


def test_a_single_seed_has_no_std(tmp_path, published):
    found = rows(spec(cell(tmp_path, 0, img=50.0, c10=60.0)), published)
    assert math.isnan(found["Ours", "IMG kNN"]["std"])


def test_scaled_numbers_have_no_delta(tmp_path, published):
    given = spec(cell(tmp_path, 0, img=50.0, c10=60.0), scale="scaled")
    found = rows(given, published)
    assert found["Ours", "IMG kNN"]["verdict"] == "scaled"
    assert math.isnan(found["Ours", "IMG kNN"]["delta"])
    assert found["Ours", "IMG kNN"]["published"] == 50.0
    assert found["Later", "IMG kNN"]["verdict"] == "not-run"


def test_what_was_not_run_has_no_measured_number(tmp_path, published):
    found = rows(spec(cell(tmp_path, 0, img=50.0)), published)
    not_run = {key for key, record in found.items() if record["verdict"] == "not-run"}
    assert not_run == {
        ("Ours", "C-10 kNN"),
        ("Ours", "Avg. kNN"),  # an average needs all its tasks
        ("Ours", "IMG L.P"),  # published, and no protocol of this table
        ("Later", "IMG kNN"),
        ("Later", "C-10 kNN"),
        ("Later", "Avg. kNN"),
        ("Later", "IMG L.P"),
    }
    for key in not_run:
        assert math.isnan(found[key]["measured"])
        assert math.isnan(found[key]["delta"])
        assert found[key]["n_seeds"] == 0
        assert pd.isna(found[key]["n_eval"])
    assert found["Ours", "C-10 kNN"]["published"] == 60.0
    assert found["Ours", "C-10 kNN"]["cell"].endswith("seed0/model.safetensors")
    assert found["Ours", "IMG L.P"]["published"] == 70.0
    assert found["Ours", "IMG L.P"]["cell"] == ""


def test_a_metric_file_that_is_gone_is_not_run(tmp_path, published):
    seed = cell(tmp_path, 0, img=50.0, c10=60.0)
    Path(seed["metrics"]["knn"]["img"]).unlink()
    found = rows(spec(seed), published)
    assert found["Ours", "IMG kNN"]["verdict"] == "not-run"
    assert found["Ours", "C-10 kNN"]["verdict"] == "inconclusive"


def test_only_complete_seeds_count_and_are_named(tmp_path, published):
    seeds = [cell(tmp_path, 0, img=50.0), cell(tmp_path, 1, img=53.0, c10=58.0)]
    average = rows(spec(*seeds), published)["Ours", "Avg. kNN"]
    assert (average["measured"], average["n_seeds"]) == (55.5, 1)
    assert average["cell"] == seeds[1]["cell"]


def test_a_published_only_row_has_only_what_was_published(published):
    found = rows(spec(), published)
    assert {column for row, column in found if row == "Theirs"} == {"C-10 kNN"}
    assert found["Theirs", "C-10 kNN"]["verdict"] == "published-only"
    assert found["Theirs", "C-10 kNN"]["published"] == 71.58


def test_random_init_has_no_published_number_and_names_its_metric_file(tmp_path, published):
    given, seed = spec(), cell(tmp_path, 0, img=20.0, c10=30.0)
    row = {"row": "random init", "declared": True, "cells": [seed | {"cell": None}]}
    given["rows"].append(row)
    found = rows(given, published)["random init", "IMG kNN"]
    assert (found["verdict"], found["cell"]) == (
        "no-published-number",
        seed["metrics"]["knn"]["img"],
    )


def test_a_doubted_number_is_shown_and_decides_nothing(tmp_path, published):
    given = spec(cell(tmp_path, 0, img=40.0, c10=60.0))
    held = rows(given, published)["Ours", "IMG kNN"]
    doubted = {"not_held_to": [{"row": "Ours", "column": "IMG", "protocol": "knn"}]}
    found = rows(given | doubted, published)
    shown = found["Ours", "IMG kNN"]
    assert found["Ours", "C-10 kNN"]["verdict"] == held["verdict"] == "inconclusive"
    assert not pd.isna(held["delta"])
    assert shown["verdict"] == "no-published-number" and pd.isna(shown["delta"])
    assert shown["published"] == held["published"] and shown["measured"] == 40.0


def test_the_number_of_a_round_has_no_interval_of_an_accuracy(tmp_path):
    path = tmp_path / "best-round.json"
    metric = {"task": "img", "protocol": "best-round", "value": 50.0, "n_eval": 100}
    metric |= {"rounds": [300], "predictions": "best-round.parquet"}
    path.write_text(json.dumps(metric))
    metrics = {protocol: {"img": str(path)} for protocol in ("best-round", "chosen-round")}
    cells = [{"seed": 0, "cell": "model", "metrics": metrics}]
    place = {"tasks": ["img"], "row": "Ours", "column": "IMG"}
    chosen, seeds = measure(cells, "chosen-round", **place)
    assert (chosen["measured"], chosen["low"], chosen["high"], seeds.error) == (300, *[None] * 3)
    best, seeds = measure(cells, "best-round", **place)
    assert best["low"] < 50 < best["high"] and seeds.error > 0


def test_an_undeclared_row_is_not_run_whatever_files_lie_there(tmp_path, published):
    given = spec()
    given["rows"][1]["cells"] = [cell(tmp_path, 0, img=40.0, c10=60.0)]
    assert rows(given, published)["Later", "IMG kNN"]["verdict"] == "not-run"


def test_a_published_row_without_a_place_is_named(published):
    given = spec()
    given["rows"][0]["row"] = "Our"
    with pytest.raises(
        UserError, match="row 'Ours' has no place in demo table 2; its rows are Our"
    ):
        rows(given, published)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"task": "c10"}, "holds knn on c10; it must hold knn on img"),
        ({"value": 101.0}, "holds value 101.0 over 400 samples"),
        ({"n_eval": 0}, "holds value 50.0 over 0 samples"),
        ({"value": None}, "lacks value"),
    ],
)
def test_a_metric_file_of_something_else_is_named(tmp_path, published, changed, said):
    seed = cell(tmp_path, 0, img=50.0, c10=60.0)
    path = Path(seed["metrics"]["knn"]["img"])
    data = json.loads(path.read_text(encoding="utf-8")) | changed
    kept = {name: value for name, value in data.items() if value is not None}
    path.write_text(json.dumps(kept), encoding="utf-8")
    with pytest.raises(UserError, match=re.escape(f"{path} {said}")):
        rows(spec(seed), published)


def test_seeds_on_other_samples_are_refused(tmp_path, published):
    seeds = [cell(tmp_path, 0, 400, img=50.0), cell(tmp_path, 1, 256, img=50.0)]
    with pytest.raises(UserError, match=r"counts 256 samples and .* 400; seeds of one number"):
        rows(spec(*seeds), published)


@pytest.fixture
def written(tmp_path: Path, published: Path) -> dict[str, str]:
    seeds = [cell(tmp_path, 0, img=49.0, c10=60.0), cell(tmp_path, 1, img=50.00004, c10=58.0)]
    return write(spec(*seeds), published, folder=tmp_path)


def write(given: dict[str, Any], published: Path, *, folder: Path) -> dict[str, str]:
    outputs = {kind: folder / f"tables/out.{kind}" for kind in ("csv", "md", "tex")}
    outputs["seeds"] = folder / "tables/out.seeds.json"
    write_table(given | {"published": [published]}, outputs)
    return {kind: path.read_text(encoding="utf-8") for kind, path in outputs.items()}


def test_csv_is_rounded_and_leaves_empty_what_was_not_run(written):
    lines = list(csv.DictReader(written["csv"].splitlines()))
    assert tuple(lines[0]) == COLUMNS
    first, later = lines[0], next(line for line in lines if line["row"] == "Later")
    assert (first["table"], first["published"], first["measured"]) == ("2", "50.0", "49.5")
    assert (first["std"], first["n_seeds"], first["n_eval"]) == ("0.7071", "2", "400")
    assert (later["measured"], later["std"], later["delta"], later["n_eval"]) == ("", "", "", "")
    assert later["verdict"] == "not-run"


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


def test_markdown_has_rows_down_columns_across_and_n_eval_last(written):
    assert cells_of(written["md"]) == [
        ["", "IMG kNN", "C-10 kNN", "Avg. kNN", "IMG L.P"],
        [
            "Ours",
            "49.50 ± 0.71 (50.00)",
            "59.00 ± 1.41 (60.00)",
            "54.25 ± 0.35 (55.00)",
            "not run (70.00)",
        ],
        ["Later", "not run (40.00)", "not run", "not run", "not run"],
        ["Theirs", "—", "(71.58)", "—", "—"],
        ["chance", "—", "—", "—", "—"],
        ["n_eval", "400", "400", "800", "—"],
    ]
    assert written["md"].startswith("### demo, table 2: A \\& B\n")
    assert "Ours, C-10 kNN: suspicious: a typo \\& more" in written["md"]
    assert "†" not in written["md"] + written["tex"]
    assert "scaled" not in written["md"] + written["tex"]


def test_scaled_numbers_say_so_in_the_title_and_at_each_number(tmp_path, published):
    given = spec(cell(tmp_path, 0, img=50.0, c10=60.0), scale="scaled")
    given["rows"][0]["cells"].append(cell(tmp_path, 1, img=50.0, c10=62.0))
    text = write(given, published, folder=tmp_path)
    title = text["md"].splitlines()[0]
    assert title.endswith("— scaled: not comparable with the paper (mini: 20 clients)")
    assert cells_of(text["md"])[1][1:3] == ["50.00 ± 0.00† (50.00)", "61.00 ± 1.41† (60.00)"]
    assert "† scaled: not comparable with the paper." in text["md"]
    assert text["tex"].count(r"$^{\dagger}$") == 4  # three numbers and the footnote
    assert "scaled: not comparable with the paper (mini: 20 clients)" in text["tex"]


def judged(folder: Path, seed: int, **facts: Any) -> dict[str, Any]:
    """Return a seed whose scores have facts to judge them by, and whose random start has scores."""
    own = cell(folder / "trained", seed, img=50.0, c10=60.0)
    before = cell(folder / "before", seed, img=20.0 + seed, c10=30.0)
    for task, path in own["metrics"]["knn"].items():
        chance = {"img": 10.0, "c10": 20.0}[task]
        metric = json.loads(Path(path).read_text()) | {"chance": chance} | facts
        Path(path).write_text(json.dumps(metric))
    return own | {"random_init": before["metrics"]}


def test_a_number_stands_next_to_chance_and_to_its_random_start(tmp_path, published):
    found = rows(spec(judged(tmp_path, 0), judged(tmp_path, 2)), published)
    known = {
        name: (r["chance"], r["random_init"]) for (row, name), r in found.items() if row == "Ours"
    }
    assert known["IMG kNN"] == pytest.approx((10.0, 21.0))
    assert known["Avg. kNN"] == pytest.approx((15.0, 25.5))
    text = write(spec(judged(tmp_path, 0)), published, folder=tmp_path)
    assert ["chance", "10.00", "20.00", "15.00", "—"] in cells_of(text["md"])


def test_a_seed_without_a_random_start_leaves_the_number_without_one(tmp_path, published):
    lacking = judged(tmp_path, 1)
    lacking["random_init"] = {}
    found = rows(spec(judged(tmp_path, 0), lacking), published)
    assert math.isnan(found["Ours", "IMG kNN"]["random_init"])


@pytest.mark.parametrize(
    ("facts", "flag", "note"),
    [
        ({"collapsed": True}, "collapsed", "Collapsed encoder"),
        ({"backbone_change": 0.0}, "unmoved", "Pretraining did not change the weights"),
        ({"dropped_updates": 3}, "dropped-updates", "Updates of clients were dropped"),
        ({"duplicates": 2}, "duplicates", "Some scored samples are also training samples"),
        ({"unseen_classes": 1}, "unseen-classes", "Some scored classes have no training sample"),
        (
            {"collapsed": False, "backbone_change": 0.1, "dropped_updates": 0, "duplicates": 0},
            "",
            None,
        ),
    ],
)
def test_a_number_that_means_little_is_flagged(tmp_path, published, facts, flag, note):
    given = spec(judged(tmp_path, 0), judged(tmp_path, 1, **facts))
    found = rows(given, published)
    assert {r["flags"] for (row, c), r in found.items() if row == "Ours" and "kNN" in c} == {flag}
    text = write(given, published, folder=tmp_path)
    notes = [line for line in text["md"].splitlines() if note and line.startswith(note)]
    assert len(notes) == (note is not None)
    if note:
        assert notes[0].endswith(": Ours (IMG kNN, C-10 kNN, Avg. kNN).")


HOSTILE = "a|b & 50 % of_x #1 {y} ~z^2 \\n $5 [27] <i>*j*</i> `k`"


def test_markdown_shows_special_characters_as_they_are():
    grid = TextTable(HOSTILE, ("", HOSTILE), ((HOSTILE, "[1]"),), (("n_eval", "_2_"),), (HOSTILE,))
    markdown = to_markdown(grid)
    assert cells_of(markdown) == [["", HOSTILE], [HOSTILE, "[1]"], ["n_eval", "_2_"]]
    inline = [t for t in MarkdownIt("commonmark").enable("table").parse(markdown) if t.children]
    for token in (inline[0], inline[-1]):
        assert "".join(child.content for child in token.children or []) == HOSTILE


def test_latex_escapes_special_characters():
    grid = TextTable(HOSTILE, ("", HOSTILE), (("[27]", "1 ± 2†"),), (("n_eval", "3"),), (HOSTILE,))
    latex = to_latex(grid, label="tab:x")
    escaped = (
        r"a|b \& 50 \% of\_x \#1 \{y\} \textasciitilde{}z\textasciicircum{}2 \textbackslash{}n "
        r"\$5 {[}27{]} \textless{}i\textgreater{}*j*\textless{}/i\textgreater{} `k`"
    )
    assert rf"\caption{{{escaped}}}" in latex
    assert rf"     & {escaped} \\" in latex
    assert r"    {[}27{]} & 1 $\pm$ 2$^{\dagger}$ \\" in latex
    assert latex.isascii()


def test_latex_is_a_well_formed_booktabs_table(written):
    latex = written["tex"]
    openings = re.findall(r"\\begin\{([\w*]+)\}", latex)
    assert openings == ["table*", "tabular", "tabular"]
    assert re.findall(r"\\end\{([\w*]+)\}", latex) == [*openings[1:], "table*"]
    bare = re.sub(r"\\[{}]", "", latex)
    depths = [bare[:i].count("{") - bare[:i].count("}") for i in range(len(bare) + 1)]
    assert min(depths) == depths[-1] == 0
    assert r"\label{tab:demo-2}" in latex


def test_latex_stacks_protocols_and_what_is_too_wide(written):
    columns = {"kNN": 3, "L.P": 1}
    parts = written["tex"].split(r"\begin{tabular}")[1:]
    for part, (protocol, count) in zip(parts, columns.items(), strict=True):
        body = part[part.index(r"\toprule") : part.index(r"\bottomrule")]
        lines = [line for line in body.splitlines() if line.endswith(r"\\")]
        assert {len(re.findall(r"(?<!\\)&", line)) for line in lines} == {count}
        assert part.startswith(f"{{l{'r' * count}}}")
        assert lines[0].count(protocol) == count
        assert lines[1].startswith("    Ours & ")
        assert lines[-1].startswith(r"    n\_eval & ")
    header = ("", *(f"{name} kNN" for name in "abcdef"))
    wide = to_latex(TextTable("t", header, (), (("n_eval", *"123456"),)), label="tab:x")
    assert re.findall(r"n\\_eval & (.*) \\\\", wide) == ["1 & 2 & 3 & 4", "5 & 6"]
