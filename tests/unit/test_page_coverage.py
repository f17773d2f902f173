"""Coverage on the report page: the map of all numbers, and the rows that are folded."""

import re
from pathlib import Path

import pytest

from tests.report_tree import ReportTree


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    written: Path = ReportTree.of(tmp_path_factory.mktemp("coverage"), "demo.yaml").write()
    return written.read_text()


def test_the_map_has_a_square_for_each_number_that_leads_to_its_row(page: str) -> None:
    squares = page[page.index('class="maps"') : page.index('id="tables"')]
    links = re.findall(r'<a tabindex="-1" href="#([^"]*)" title="[^"]*">(.*?)</a>', squares)
    rows = dict(re.findall(r'<tr id="([^"]*)"[^>]*>(.*?)</tr>', page, re.DOTALL))
    assert len(links) > 100
    for anchor, drawn in links:
        states = re.findall(r'<i(?: class="([^"]*)")?></i>', drawn)
        cells = re.findall(r'<td(?: id="[^"]*" data-verdict="([^"]*)")?', rows[anchor])
        assert [state or "not-run" for state in states] == [cell or "none" for cell in cells]


def test_only_rows_without_any_run_are_folded(page: str) -> None:
    folds = re.findall(
        r'<summary>(\d+) rows? not run</summary>.*?<tbody class="unrun">(.*?)</tbody>',
        page,
        re.DOTALL,
    )
    folded = "".join(rows for _, rows in folds)
    assert len(folds) > 10
    assert [int(count) for count, _ in folds] == [rows.count("<tr") for _, rows in folds]
    assert set(re.findall(r'data-verdict="([^"]*)"', folded)) == {"not-run"}
    for _, rows in folds:
        page = page.replace(rows, "")
    shown = re.findall(r'<tr id="[^"]*"[^>]*>.*?</tr>', page, re.DOTALL)
    verdicts = [set(re.findall(r'data-verdict="([^"]*)"', row)) for row in shown]
    assert {"not-run"} not in verdicts and {"not-run", "scaled"} in verdicts
    assert 'data-verdict="published-only"' in page and "published-only" not in folded
