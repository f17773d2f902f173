"""The report page as a file: what it says, what it escapes, how large it is."""

import base64
import gzip
import html
import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from fedssl.errors import UserError
from fedssl.paper.claims.entries import read_entries
from fedssl.paper.claims.evidence import cell_name
from fedssl.paper.page.jobs import Jobs, Pool
from fedssl.paper.page.links import Links
from fedssl.paper.page.printed import published_notes, read_contradictions, wrong_averages
from fedssl.paper.page.shards import histogram_picture
from fedssl.paper.page.summary import coverage
from fedssl.paper.published import heading, read_published
from fedssl.paper.text_table import number_text
from tests.report_tree import PUBLISHED, ROOT, ReportTree

CONTRADICTIONS = ROOT / "config/contradictions.yaml"
HOSTILE = (
    "</script><script>document.title='owned'</script><img src=x onerror=\"document.title=1\">'"
)


@pytest.fixture(scope="module")
def hostile_tree(tmp_path_factory: pytest.TempPathFactory) -> ReportTree:
    tree = ReportTree.of(tmp_path_factory.mktemp("hostile"), "demo.yaml")
    tree.host = HOSTILE
    tree.config["tables"]["fssuavl_table2"]["title"] = HOSTILE
    tree.config["scale"]["note"] = HOSTILE
    row = {"row": HOSTILE, "arch": "resnet18", "split": "a0-i0-b100"}
    tree.config["tables"]["fssuavl_table2"]["rows"].append(row)
    tree.write()
    return tree


@pytest.fixture
def hostile_page(hostile_tree: ReportTree) -> str:
    return hostile_tree.page.read_text()


def payload(page: str) -> dict:
    match = re.search(r'id="data">(.*?)</script>', page, re.DOTALL)
    return json.loads(gzip.decompress(base64.b64decode(match[1])))


def test_nothing_from_data_becomes_markup(hostile_page: str) -> None:
    assert "<script>document" not in hostile_page and "<img src=x" not in hostile_page
    assert (
        html.escape(HOSTILE, quote=False).replace('"', "&#34;").replace("'", "&#39;")
        in hostile_page
    )
    assert any(machine["host"] == HOSTILE for machine in payload(hostile_page)["hardware"])


def test_a_scaled_run_says_so_at_every_number_and_on_top(hostile_page: str) -> None:
    assert "Nothing here is at paper scale." in hostile_page
    cells = re.findall(r'<td id="[^"]*" data-verdict="([^"]*)"(.*?)</td>', hostile_page, re.DOTALL)
    measured = [verdict for verdict, rest in cells if 'class="measured"' in rest]
    assert measured and set(measured) == {"scaled"}
    assert 'class="delta"' not in hostile_page


def test_not_run_never_prints_a_number(hostile_page: str) -> None:
    cells = re.findall(r'data-verdict="not-run"(.*?)</td>', hostile_page, re.DOTALL)
    assert cells
    assert not any("measured" in cell or "data-value" in cell for cell in cells)


@pytest.fixture(scope="module")
def paper_tree(tmp_path_factory: pytest.TempPathFactory) -> ReportTree:
    tree = ReportTree.of(tmp_path_factory.mktemp("paper"))
    tree.write()
    return tree


def test_the_paper_grid_fits_into_two_megabytes(paper_tree: ReportTree) -> None:
    assert paper_tree.page.stat().st_size < 2_000_000


def test_at_paper_scale_verdicts_and_distances_show(paper_tree: ReportTree) -> None:
    page = paper_tree.page.read_text()
    assert "Nothing here is at paper scale" not in page and 'class="verdict scaled"' not in page
    assert 'data-verdict="differs"' in page and 'class="delta"' in page


def test_every_measured_number_leads_to_its_jobs(paper_tree: ReportTree) -> None:
    page = paper_tree.page.read_text()
    data = payload(page)
    links = re.findall(r'class="measured" href="#([^"]*)"', page)
    assert links and set(links) == set(data["numbers"])
    kinds: set[str] = set()
    for number in data["numbers"].values():
        steps = [data["steps"][place] for run in number["runs"] for place in run["steps"]]
        assert steps and all(step["job"] is not None for step in steps)
        if "title" in number:  # a row of another table, or a figure
            kinds.add(number["target"].split("_", 1)[1])
            continue
        assert len(number["runs"]) == number["n_seeds"] == 3
        assert (number["interval"] is None) == number["column"].endswith(" best round")
    assert {"random_init", "backbone", "communication", "loss"} <= kinds
    trained = [job for job in data["jobs"] if job["rule"] == "pretrain"]
    assert trained and all(job["curves"] and job["shards"] and job["bytes_up"] for job in trained)
    assert not set().union(*(job["facts"] for job in data["jobs"])), "nothing was out of order"


def table_of(page: str, name: str) -> list[list[str]]:
    """Return the texts of a table's rows, the header first."""
    section = page[page.index(f'<section class="table" id="{name}"') :]
    table = section[: section.index("</table>")]
    rows = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in table.split("<tr")[1:]]
    return [[html.unescape(re.sub("<[^>]*>", "", text)) for text in row] for row in rows]


def test_other_tables_have_words_and_units_not_the_csvs(paper_tree: ReportTree) -> None:
    page = paper_tree.page.read_text()
    header, first, *_ = table_of(page, "fssuavl_communication")
    assert header[0] == "pretraining" and "total up, GB" in header
    assert first[:4] == ["FVSSL R-18", "full", "100", "10"] and first[4] == "44.927"
    header, first, fold, *others = table_of(page, "fssuavl_unified")
    assert "gain, points" in header
    assert first[2:] == ["90", "-11.11", "-23.33 to +1.11", "no"]
    assert "rows not run" in fold[0] and len(others) == 3
    assert all("not run" in row for row in others)
    header, first, *_ = table_of(page, "fassl_rounds")
    assert header[:2] == ["pretraining", "round"] and header[2].endswith(", R@1, %")
    assert first[:3] == ["ACOP FedAvg", "0", "0.00"]
    for raw in ("n_seeds", "excludes_zero", ">False<"):
        assert raw not in page.split("<script")[0]


def test_a_note_on_a_dataset_stands_below_the_table(paper_tree: ReportTree) -> None:
    page = paper_tree.page.read_text()
    rows = table_of(page, "datasets")
    assert max(len(text) for row in rows for text in row) < 60
    assert re.search(r'<p class="footnote">VGGSound \(VGG.A\): ', page)


def test_the_rows_of_other_tables_have_the_axes_that_filters_ask_for(
    paper_tree: ReportTree,
) -> None:
    page = paper_tree.page.read_text()
    for name in ("fssuavl_communication", "fassl_rounds", "fassl_backbone", "fassl_random_init"):
        section = page[page.index(f'<section class="table" id="{name}"') :]
        body = section[section.index("<tbody>") : section.index("</tbody>")]
        assert body.count("<tr") == body.count("data-method=") == body.count("data-split=") > 0
    assert 'data-aggregator="fedavg fedavg-bb"' in page


def test_coverage_counts_what_is_in_print_apart() -> None:
    def cell(published: float | None, verdict: str) -> dict:
        return {"published": published, "verdict": verdict}

    cells = [cell(1.0, "scaled"), cell(2.0, "not-run"), cell(None, "scaled"), None]
    cells += [cell(3.0, "not-run"), cell(4.0, "published-only")]
    found = coverage([{"rows": [{"cells": cells}]}])
    counts = {name: {i["verdict"]: i["count"] for i in items} for name, items in found.items()}
    assert counts["printed"] == {"scaled": 1, "not-run": 2, "published-only": 1}
    assert counts["others"] == {"scaled": 1}
    assert sum(item["share"] for item in found["printed"]) == pytest.approx(100)


def test_every_number_in_print_is_counted_once(paper_tree: ReportTree) -> None:
    page = paper_tree.page.read_text()
    (total,) = re.findall(r">(\d+) numbers in the papers. tables", page)
    assert int(total) == page.count('class="paper"')


def test_a_round_is_no_percentage(paper_tree: ReportTree) -> None:
    page = paper_tree.page.read_text()
    rounds = re.findall(r'id="fassl-selection\.[^"]*best-round" [^>]*>\s*<a [^>]*>([^<]*)<', page)
    assert rounds and all(re.fullmatch(r"\d+(\.\d)?", text.strip()) for text in rounds)
    assert (number_text(3.0, "chosen-round"), number_text(100 / 3, "chosen-round")) == (
        "3",
        "33.3",
    )
    assert number_text(3.0, "KS2 best R@1") == "3.00"


def test_what_was_stopped_and_run_side_by_side_is_said(tmp_path: Path) -> None:
    model, record = tmp_path / "model", tmp_path / "provenance.json"
    tree = ReportTree.of(tmp_path)
    facts = {"resumed_after_round": 4, "clients_side_by_side": 2, "earlier_seconds": 0.0}
    tree._record("pretrain", record, [], [model], {}, facts)
    jobs = Jobs(Links(tmp_path / "report/index.html"))
    jobs.step(model)
    said = {"resumed_after_round": 4, "clients_side_by_side": 2}
    assert jobs.as_data()["jobs"][0]["facts"] == said


def test_the_certificate_is_on_the_page_word_for_word_but_for_what_was_not_run(
    hostile_tree: ReportTree,
) -> None:
    page, markdown = hostile_tree.page.read_text(), hostile_tree.certificate.read_text()
    section = page[page.index('<section id="certificate"') :]
    section = section[: section.index("</section>")]
    shown = words(html.unescape(re.sub(r"<[^>]*>", " ", section)))
    plain = re.sub(r"\\(.)", r"\1", re.sub(r"\*\*|`|^#+|^- |\| --- |---", "", markdown, flags=re.M))
    before, _, rest = plain.partition("Not run, and why")
    listed, _, after = rest.partition("How to check this")
    assert len(words(listed)) > 50
    start, end = words(before), words(after)
    assert shown[: len(start)] == start and shown[-len(end) :] == end
    said = " ".join(shown[len(start) : -len(end)])
    lacking = page.count('data-verdict="not-run"')
    total = page.count('" data-verdict="')
    assert said.startswith(f"Not run, and why {lacking:,} of {total:,} numbers")
    assert len(said.split()) < 40 and 'href="#coverage"' in section


def words(text: str) -> list[str]:
    return [word for word in re.split(r"[\s|]+", text) if word]


def test_the_command_names_the_configuration(hostile_page: str) -> None:
    command = payload(hostile_page)["command"]
    assert command.startswith("snakemake --cores all --configfile ")
    assert command.endswith("config/demo.yaml")


def test_a_class_histogram_is_drawn_blank_only_where_it_is_empty() -> None:
    histogram = np.array([[0, 1, 400], [25, 0, 100]])
    uri = histogram_picture(histogram)
    picture = Image.open(io.BytesIO(base64.b64decode(uri.split(",")[1])))
    alpha = np.asarray(picture.convert("RGBA"))[..., 3]
    assert alpha.shape == histogram.shape
    assert ((alpha == 0) == (histogram == 0)).all()
    order = np.argsort(histogram, axis=None)
    assert (np.diff(alpha.ravel()[order].astype(int)) >= 0).all() and alpha.max() == 255


def test_what_jobs_share_is_stored_once() -> None:
    pool = Pool()
    places = [pool.place(value) for value in ({"a": 1, "b": 2}, {"b": 2, "a": 1}, [1], {"a": 1})]
    assert places == [0, 0, 1, 2] and len(pool.items) == 3


def test_contradictions_are_valid_and_of_both_papers() -> None:
    entries = read_entries(CONTRADICTIONS)
    assert {"fssuavl", "fassl", "code"} == {entry["paper"] for entry in entries}
    assert len(entries) >= 39


def test_a_second_entry_of_one_id_is_refused(tmp_path: Path) -> None:
    entries = read_entries(CONTRADICTIONS)
    path = tmp_path / "contradictions.yaml"
    path.write_text(yaml.safe_dump({"contradictions": [entries[0], entries[0]]}))
    with pytest.raises(UserError, match=f"two contradictions have the id {entries[0]['id']}"):
        read_entries(path)


def test_the_wrong_average_of_the_paper_is_found() -> None:
    places = {"fssuavl": {"table 3: FSSUAVL ViT, Avg. L.P": "there"}}
    (wrong,) = wrong_averages(PUBLISHED, places=places)
    assert wrong["anchor"] == "there"
    assert (wrong["table"], wrong["row"], wrong["column"]) == ("3", "FSSUAVL ViT", "Avg. L.P")
    assert wrong["printed"] == 18.52 and wrong["recomputed"] == pytest.approx(18.5067, abs=1e-4)


def test_a_contradiction_links_to_the_numbers_that_it_concerns(paper_tree: ReportTree) -> None:
    named = [n for e in read_entries(CONTRADICTIONS) for n in e.get("cells", ())]
    published = read_published(PUBLISHED).to_dict("records")
    known = {
        cell_name((r["table"], r["row"], heading(r["column"], r["protocol"]))) for r in published
    }
    assert named and set(named) <= known
    page = paper_tree.page.read_text()
    section = page[page.index('id="contradiction-repeated-number"') :]
    links = re.findall(r'<a href="#([^"]*)">table 7: (.*?)</a>', section[: section.index("</tr>")])
    row = "FSSUAVL R-18 SimCLR"
    assert [text for _, text in links] == [f"{row}, C-10 kNN", f"{row}, Epic.K kNN"]
    for anchor, _ in links:
        assert f'<td id="{anchor}"' in page
    (alone,) = read_contradictions(CONTRADICTIONS, places={})[:1]
    assert alone["cells"] == []


def test_each_figure_is_in_the_contents(paper_tree: ReportTree) -> None:
    page = paper_tree.page.read_text()
    contents = page[page.index('<nav class="contents"') : page.index("</nav>")]
    figures = re.findall(r'<figure id="([^"]*)"', page)
    assert len(figures) > 8
    assert re.findall(r'href="#(figure-[^"]*)"', contents) == figures
    assert ">fssuavl, figure 2</a>" in contents


def test_a_note_on_a_published_number_is_a_mark_in_its_cell(paper_tree: ReportTree) -> None:
    page = paper_tree.page.read_text()
    notes = published_notes(PUBLISHED)
    assert len(notes) > 30
    known = notes["fssuavl", "2", "FVSSL R-18", "C-10 F.T"]
    cell = page[page.index('<td id="fssuavl-table2.fvssl-r-18.c-10-f-t"') :]
    assert f"<span>{html.escape(known, quote=False)}</span>" in cell[: cell.index("</td>")]
    marks = re.findall(r'<details class="mark"><summary>note</summary><span>(.*?)</span>', page)
    assert len(marks) == len(notes)


def test_no_two_elements_share_an_id(paper_tree: ReportTree) -> None:
    """A table and its figure have one name: a link or a filter must find the one it means."""
    ids = re.findall(r'\sid="([^"]*)"', paper_tree.page.read_text())
    assert len(ids) == len(set(ids))
