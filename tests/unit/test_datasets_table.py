"""Table 1: what the paper prints beside what the banks hold, and nothing where there is no bank."""

import csv
from pathlib import Path
from typing import Any

from fedssl.data.samples import AbsentMember, BadMember
from fedssl.paper.products.datasets import PRODUCT, build_datasets
from tests.unit.archives import DATASETS
from tests.unit.banks import clips, write


def spec(folder: Path, *, scale: str = "paper", **changes: Any) -> dict[str, Any]:
    dataset = {
        "name": "toy",
        "row": "Toy <b>& co</b> (T_1)",
        "bank": str(folder / "bank.json"),
        "splits": ["train"],
        "note": None,
        "published": {"classes": 2, "train": 5},
        **changes,
    }
    return {"scale": scale, "scale_note": "demo", "datasets": [dataset]}


def toy_bank(folder: Path) -> None:
    """Write a bank of 4 clips, one absent and one unreadable, of 6 declared."""
    samples = [*clips(), AbsentMember("x", "a", "train"), BadMember("y", "b", "train", "it is cut")]
    write(samples, folder, counts={"train": 6}, max_bad_share=0.5)


def verdicts(given: dict[str, Any]) -> dict[str, tuple[Any, ...]]:
    frame = build_datasets(given).astype(object)
    frame = frame.where(frame.notna(), None)
    return {
        record["column"]: (record["published"], record["counted"], record["verdict"])
        for record in frame.to_dict("records")
    }


def written(given: dict[str, Any], folder: Path) -> tuple[list[dict[str, str]], str, str]:
    paths = {name: folder / f"datasets.{name}" for name in ("csv", "md", "tex")}
    PRODUCT.write(given, paths)
    with paths["csv"].open() as file:
        return list(csv.DictReader(file)), paths["md"].read_text(), paths["tex"].read_text()


def test_counted_is_what_the_bank_holds(tmp_path: Path) -> None:
    toy_bank(tmp_path)
    assert verdicts(spec(tmp_path)) == {"classes": (2, 2, "equal"), "train": (5, 4, "differs")}
    rows, markdown, _ = written(spec(tmp_path), tmp_path)
    assert [row["difference"] for row in rows] == ["0", "-1"]
    assert (rows[1]["absent"], rows[1]["unreadable"]) == ("1", "1")
    assert "1 labelled members are absent, 1 unreadable" in markdown


def test_a_difference_without_a_reason_says_so(tmp_path: Path) -> None:
    toy_bank(tmp_path)
    assert "the difference in train is not explained" in written(spec(tmp_path), tmp_path)[1]
    explained = written(spec(tmp_path, note="a header line was counted"), tmp_path)[1]
    assert "a header line was counted" in explained and "not explained" not in explained


def test_without_a_bank_there_is_no_number(tmp_path: Path) -> None:
    found = verdicts(spec(tmp_path / "nowhere"))
    assert found == {"classes": (2, None, "not-run"), "train": (5, None, "not-run")}
    _, markdown, latex = written(spec(tmp_path / "nowhere"), tmp_path)
    assert "not run (5)" in markdown and "not run (5)" in latex


def test_a_scaled_number_is_marked_and_never_compared(tmp_path: Path) -> None:
    toy_bank(tmp_path)
    given = spec(tmp_path, scale="scaled")
    assert verdicts(given)["train"] == (5, 4, "scaled")
    rows, markdown, latex = written(given, tmp_path)
    assert [row["difference"] for row in rows] == ["", ""]
    assert "4† (5)" in markdown and r"4$^{\dagger}$ (5)" in latex
    assert markdown.count("not comparable with the paper") == 2


def test_a_number_the_paper_lacks_is_only_counted(tmp_path: Path) -> None:
    toy_bank(tmp_path)
    given = spec(tmp_path, published={})
    assert {verdict for *_, verdict in verdicts(given).values()} == {"no-published-number"}


def test_titles_are_escaped(tmp_path: Path) -> None:
    _, markdown, latex = written(spec(tmp_path), tmp_path)
    assert "<b>" not in markdown and "<b>" not in latex and r"\& co" in latex


def test_every_declared_number_that_is_not_the_papers_is_explained() -> None:
    printed = {name: entry["published"] for name, entry in DATASETS.items() if "published" in entry}
    numbers = {published["symbol"]: published["numbers"] for published in printed.values()}
    assert {symbol: tuple(given.values()) for symbol, given in numbers.items()} == {
        "TINET": (200, 100_000, 10_000),
        "C-10": (10, 50_000, 10_000),
        "VGG.A": (309, 183_730, 15_446),
        "Epic.K": (44, 60_056, 8_036),
        "KS2": (35, 84_848, 4_890),
    }
    for name, published in printed.items():
        ours = {"classes": DATASETS[name]["classes"], **DATASETS[name]["splits"]}
        assert set(published["numbers"]) <= set(ours)
        equal = all(ours[key] == number for key, number in published["numbers"].items())
        assert equal or published["differences"], name
