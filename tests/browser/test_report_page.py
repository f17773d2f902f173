"""The report page as people use it: sorts, filters, follows a number to its jobs and back."""

import functools
import http.server
import re
import threading
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.conftest import Opened

LINK = "#fssuavl-table2\\.fvssl-r-18\\.tinet-knn a.measured"
CELL = "#fssuavl-table2.fvssl-r-18.tinet-knn"


def numbers(table: Locator, column: int) -> list[float]:
    """Return the measured numbers of a column, from top to bottom, without those not run."""
    cells = table.locator("tbody:not(.fold) tr").all()
    values = [row.locator("> *").nth(column).get_attribute("data-value") for row in cells]
    return [float(value) for value in values if value is not None]


def rows_in_sight(page: Page) -> Locator:
    """Return the rows of numbers, without the lines that fold others."""
    return page.locator("table.numbers tbody:not(.fold) tr:visible")


def shown_rows(page: Page) -> int:
    return rows_in_sight(page).count()


def test_a_header_sorts_down_up_and_back(opened: Opened) -> None:
    table = opened.page.locator("#fssuavl_table2 table")
    header = table.locator("thead tr:nth-child(2) th").first
    before = numbers(table, 1)
    for order, expected in [
        ("descending", sorted(before, reverse=True)),
        ("ascending", sorted(before)),
        (None, before),
    ]:
        header.get_by_role("button").click()
        assert header.get_attribute("aria-sort") == order
        assert numbers(table, 1) == expected
    assert len(set(before)) > 1


def test_numbers_that_were_not_run_stay_last_however_sorted(opened: Opened) -> None:
    table = opened.page.locator("#fssuavl_table2 table")
    button = table.locator("thead tr:nth-child(2) th").first.get_by_role("button")
    for _ in range(2):
        button.click()
        verdicts = [
            row.locator("td").first.get_attribute("data-verdict")
            for row in table.locator("tbody:not(.fold) tr").all()
        ]
        assert "not-run" in verdicts
        assert verdicts == sorted(verdicts, key="not-run".__eq__)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("method", "barlow-twins"),
        ("arch", "vit"),
        ("aggregator", "fedavg"),
        ("split", "a0-i0-b100"),
    ],
)
def test_a_filter_keeps_the_rows_of_its_axis(opened: Opened, name: str, value: str) -> None:
    page = opened.page
    before = shown_rows(page)
    page.get_by_role("combobox", name=name.capitalize()).select_option(value)
    rows = rows_in_sight(page).all()
    wanted = page.locator(f'table.numbers tr[data-{name}="{value}"]').count()
    assert 0 < len(rows) == wanted < page.locator("table.numbers tbody:not(.fold) tr").count()
    assert {row.get_attribute(f"data-{name}") for row in rows} == {value}
    page.get_by_role("button", name="Clear").click()
    expect(rows_in_sight(page)).to_have_count(before)


def test_the_verdict_filter_fades_the_others_and_counts(opened: Opened) -> None:
    page = opened.page
    page.get_by_role("combobox", name="Verdict").select_option("differs")
    wanted = page.locator('td[data-verdict="differs"]:visible')
    assert wanted.count() > 0
    assert page.locator('td[data-verdict="differs"].other').count() == 0
    assert (
        page.locator('td:visible:not([data-verdict="differs"])[data-verdict]:not(.other)').count()
        == 0
    )
    for table in page.locator("table.numbers:visible").all():  # no column is without a match
        heads = table.locator("thead tr:nth-child(2) th:visible").count()
        rows = table.locator("tbody:not(.fold) tr:visible")
        matched = rows.evaluate_all(
            "rows => rows.flatMap((row) => [...row.cells].filter((cell) =>"
            " cell.matches('[data-verdict]:not(.other)')).map((cell) => cell.cellIndex))"
        )
        assert len(set(matched)) == heads
    expect(page.get_by_role("status")).to_contain_text(f"{wanted.count()} of ")


def test_a_number_leads_to_what_it_rests_on_and_back(opened: Opened, report: Path) -> None:
    page = opened.page
    page.locator(LINK).click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    assert page.url.endswith(CELL)
    links = dialog.locator(".links a")
    assert {"model.safetensors", "knn.json", "record"} <= set(links.all_text_contents())
    files = [link.get_attribute("href") or "" for link in links.all()]
    assert all((report.parent / file).is_file() for file in files)
    for text in ("Seed 0", "Seed 1", "95 % interval", "clients sent", "peak memory", "a CPU"):
        expect(dialog.get_by_text(text).first).to_be_visible()
    assert dialog.locator("svg.curve").count() == 2
    assert dialog.get_by_role("img", name="4 clients by 10 classes").count() == 2
    # Of the first seed; every odd class is taken for the even one before it.
    confused = dialog.get_by_role(
        "img", name="Confusions of 10 classes. Most often confused: class 1"
    )
    assert confused.count() == 1
    shown = dialog.locator("figure.examples")
    assert shown.count() == 1
    for text in ("Right: 2 of 3", "Wrong: 1 of 3", "as class 0"):
        expect(shown.get_by_text(text)).to_be_visible()
    assert shown.locator("img").evaluate_all("all => all.map((one) => one.naturalWidth)") == [1] * 3
    commands = dialog.locator("pre").all_text_contents()
    model = "pretrain/fssuavl/simclr/resnet18/fedavg/a0-i100-b0/base/seed0/model.safetensors"
    assert any("--force " in line and line.endswith(model) for line in commands)
    assert any(line.endswith("-- fssuavl_table2") and "--forcerun" in line for line in commands)
    page.go_back()
    expect(dialog).to_be_hidden()
    assert "#" not in page.url


@pytest.mark.parametrize("opened", [{"fragment": CELL}], indirect=True)
def test_a_link_to_a_number_opens_it_and_escape_stays_on_the_page(opened: Opened) -> None:
    page = opened.page
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    assert "#" not in page.url
    expect(page.locator(LINK)).to_be_focused()


def test_the_keyboard_alone_is_enough(opened: Opened) -> None:
    page = opened.page
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the results")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    tab_to(page, "document.activeElement.matches('nav a[href=\"#fssuavl_table2\"]')")
    page.keyboard.press("Enter")
    tab_to(page, 'document.activeElement.closest("#fssuavl_table2 thead")')
    page.keyboard.press("Enter")
    assert page.locator("#fssuavl_table2 [aria-sort]").count() == 1
    tab_to(page, 'document.activeElement.matches("a.measured")')
    here = page.evaluate("document.activeElement.getAttribute('href')")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    expect(page).not_to_have_url(re.compile("fssuavl-table2"))
    assert page.evaluate("document.activeElement.getAttribute('href')") == here


def tab_to(page: Page, condition: str) -> None:
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate(f"Boolean({condition})"):
            return
    pytest.fail(f"no Tab leads to where {condition}")


@pytest.mark.parametrize("fragment", ["", CELL])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(browser: Browser, report: Path, scheme: str, fragment: str) -> None:
    context = browser.new_context(color_scheme=scheme, bypass_csp=True)
    page = context.new_page()
    page.goto(report.as_uri() + fragment)
    found: list[dict[str, Any]] = Axe().run(page).response["violations"]
    context.close()
    assert not found, [(item["id"], item["nodes"][0]["html"]) for item in found]


@pytest.mark.parametrize(
    "opened",
    [{"viewport": {"width": 360, "height": 740}, "fragment": fragment} for fragment in ("", CELL)],
    indirect=True,
)
def test_a_phone_scrolls_tables_and_never_the_page(opened: Opened) -> None:
    root = "document.documentElement"
    assert opened.page.evaluate(f"{root}.scrollWidth <= {root}.clientWidth")
    for box in ("dialog", "main"):
        assert opened.page.evaluate(f"document.querySelector('{box}').scrollWidth <= innerWidth"), (
            f"{box} is wider than the screen"
        )


def test_paper_shows_the_tables_without_the_controls(opened: Opened) -> None:
    page = opened.page
    page.emulate_media(media="print", color_scheme="dark")
    for gone in ("#filters", "nav", "dialog"):
        expect(page.locator(gone)).to_be_hidden()
    expect(page.locator("#fssuavl_table2 td .paper").first).to_be_visible()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.pdf(prefer_css_page_size=True).startswith(b"%PDF")


@pytest.mark.parametrize("opened", [{"java_script_enabled": False}], indirect=True)
def test_without_scripts_numbers_verdicts_and_claims_remain(opened: Opened) -> None:
    page = opened.page
    expect(page.locator("#fssuavl_table2 td .measured").first).to_be_visible()
    expect(page.locator("#claims .verdict").first).to_be_visible()
    expect(page.locator("#contradictions tbody tr").first).to_be_visible()
    expect(page.locator("#certificate").get_by_text("published numbers")).to_be_visible()
    expect(page.locator("#filters")).to_be_hidden()


def test_a_static_server_serves_it_and_nothing_else_is_asked_for(
    browser: Browser, report: Path
) -> None:
    handler = functools.partial(QuietHandler, directory=report.parent)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        context = browser.new_context()
        address = f"http://127.0.0.1:{server.server_port}/index.html"
        opened = Opened(context.new_page())
        opened.watch(address)
        opened.page.goto(address)
        opened.page.locator(LINK).click()
        expect(opened.page.get_by_role("dialog")).to_be_visible()
        context.close()
        server.shutdown()
    assert opened.faults == []


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    """Serves files and says nothing."""

    def log_message(self, *_: object) -> None:
        return
