"""Snakemake's own report of a finished run, with the captions of what it shows."""

import base64
import html
import json
import re
from pathlib import Path
from zipfile import ZipFile

import yaml

from tests.workflow.project import Project

CAPTIONS = {
    "fssuavl_table2.html": "One row per number: published, measured",
    "fssuavl_random_init.html": "Gain over random init",
    "fssuavl_communication.html": "What clients send and receive",
    "fssuavl_communication.svg": "What clients send and receive",
    "fssuavl_loss.svg": "Training loss of each cell by round",
    "claims.csv": "claims about their numbers",
    "certificate.md": "One page that states what was run",
    "index.html": "Each number leads to the jobs",
}
TITLES = {
    "fssuavl_table2.html": "FSSUAVL against the image specialist on vision tasks",
    "fssuavl_loss.svg": "fssuavl: training loss per round",
    "timeline.svg": "time line of the run, by rule and by host",
}
SCALED = "Scaled: not comparable with the papers"


def shown(text: str) -> dict[str, dict[str, object]]:
    """Return {file name: what the report says of it}."""
    found = re.search(r"^\s*var results = (\{.*?\});?$", text, re.MULTILINE)
    assert found, "the report lists no results"
    return {entry["name"]: entry for entry in json.loads(found[1]).values()}


def words(caption: object) -> str:
    """Return a caption as a reader sees it."""
    bare = html.unescape(re.sub(r"<[^>]+>", " ", str(caption)))
    return " ".join(bare.split())


def test_the_report_shows_tables_and_figures_with_their_captions(finished: Project) -> None:
    finished.run("--report", "report.html")
    text = (finished.root / "report.html").read_text()
    results = shown(text)
    for name, caption in CAPTIONS.items():
        said = words(results[name]["caption"])
        assert caption in said and SCALED in said, name
        assert results[name]["data_uri"].startswith("data:")  # type: ignore[attr-defined]
    # Snakemake shows these types, and offers others for download.
    shown_types = {"text/html", "image/svg+xml"}
    assert {
        entry["mime_type"] for name, entry in results.items() if "fssuavl_" in name
    } == shown_types
    labels = {name: entry["labels"] for name, entry in results.items()}
    assert {name: labels[name]["title"] for name in TITLES} == TITLES  # type: ignore[index]
    table = base64.b64decode(str(results["fssuavl_table2.html"]["data_uri"]).partition(",")[2])
    assert table == (finished.root / "results/demo/tables/fssuavl_table2.html").read_bytes()
    assert "reproduced from raw archives" in text
    categories = json.loads(re.findall(r"var categories = (.*?);?$", text, re.MULTILINE)[0])
    # The menu sorts them by name.
    assert sorted(categories) == ["All results", "Certificate", "Claims", "Figures", "Tables"]


def test_the_page_has_its_tables_in_the_order_of_the_shipped_configuration(
    finished: Project,
) -> None:
    page = (finished.root / "results/demo/report/index.html").read_text()
    contents = page[page.index('<nav class="contents"') : page.index("</nav>")]
    tables = yaml.safe_load((finished.root / "config/experiments.yaml").read_text())["tables"]
    ours = [name for name in tables if name.startswith("fssuavl_")]
    shown = [name for name in re.findall(r'href="#(\w+)"', contents) if name in ours]
    assert shown == ours


def test_a_zip_holds_the_same(finished: Project) -> None:
    finished.run("--report", "report.zip")
    with ZipFile(finished.root / "report.zip") as archive:
        names = {name.rpartition("/")[2] for name in archive.namelist()}
    assert set(CAPTIONS) <= names


def test_neither_a_caption_nor_a_flag_reruns_anything(edited: Project) -> None:
    edited.edit("workflow/report/table.rst", "{}\nMore words.\n".format)
    edited.edit(
        "workflow/rules/paper.smk",
        lambda text: re.sub(
            r'report\(\s*"<results>/claims.csv".*?\n        \),',
            '"<results>/claims.csv",',
            text,
            flags=re.S,
        ),
    )
    assert edited.planned() == {}


def test_a_run_ends_with_the_head_of_its_page(finished: Project) -> None:
    printed = finished.run("--cores", "1", "--forcerun", "report_page")
    _, head = printed.split("Elapsed time")
    *lines, last = head.splitlines()[1:]
    page = Path(finished.root, last.removeprefix("report: ")).read_text()
    tiles = page[page.index('aria-label="Verdicts"') : page.index("</section>")]
    counts = re.findall(r"<strong>([\d,]+)</strong>", tiles)
    assert [re.findall(r"\b[\d,]*\d\b", line) for line in lines[:4]] == [
        *(counts[:3], counts[3:4]),
        *(re.findall(r"<strong>([\d,]+)", tile) for tile in tiles.split("<h2>")[3:5]),
    ]
    assert lines[0].startswith("claims in print: ") and lines[4].startswith("scaled: demo: ")
    assert "total" in printed and "[1/1] report page: results/demo/report/index.html" in printed


def test_a_run_with_nothing_to_do_ends_with_the_path_of_its_page(finished: Project) -> None:
    *_, before, last = finished.run("--cores", "1").splitlines()
    assert "Nothing to be done" in before and last == "report: results/demo/report/index.html"
