"""The search of the report page: words in any order, full names, and nothing found."""

from playwright.sync_api import expect

from tests.browser.conftest import Opened
from tests.browser.test_report_page import rows_in_sight, shown_rows


def test_search_finds_words_in_any_order(opened: Opened) -> None:
    page = opened.page
    page.get_by_role("searchbox").fill("r-18 random")
    rows = rows_in_sight(page).locator("th").all_text_contents()
    assert set(rows) == {"random init R-18", "random init R-18, 3x3 stem"}
    page.get_by_role("searchbox").fill("no such row")
    assert shown_rows(page) == 0
    expect(page.get_by_role("status")).to_contain_text("0 of ")
    page.get_by_role("button", name="Show everything").click()
    expect(page.get_by_text("No number and no claim matches.")).to_be_hidden()
    assert shown_rows(page) > 0


def test_the_full_name_of_a_dataset_finds_its_columns_and_claims(opened: Opened) -> None:
    page = opened.page
    page.get_by_role("searchbox").fill("cifar10")
    section = page.locator("#fssuavl_table2")
    heads = section.locator("thead tr:nth-child(2) th:visible").all_inner_texts()
    assert len(heads) == 3 and all(head.startswith("C-10") for head in heads)
    spans = section.locator("thead th.group:visible").evaluate_all("all => all.map(a => a.colSpan)")
    assert spans == [1, 1, 1]
    for row in section.locator("tbody:not(.fold) tr:visible").all():
        assert row.locator("td:visible").count() == 3
    assert section.locator("tfoot tr:last-child td:visible").count() == 3
    expect(page.locator("#fssuavl_table4")).to_be_hidden()  # it has no such column
    claims = page.locator("#claims tbody tr:visible").all_inner_texts()
    assert claims and all("C-10" in claim or "cifar10" in claim.lower() for claim in claims)
    page.get_by_role("searchbox").fill("")
    assert section.locator("thead tr:nth-child(2) th:visible").count() == 9
    spans = section.locator("thead th.group:visible").evaluate_all("all => all.map(a => a.colSpan)")
    assert spans == [3, 3, 3]
