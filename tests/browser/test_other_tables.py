"""Tables of other shapes than the papers': filters and links reach them, and they fit."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Opened


def test_a_filter_keeps_its_rows_in_tables_of_every_kind(opened: Opened) -> None:
    page = opened.page
    page.get_by_role("combobox", name="Method").select_option("acop")
    rows = page.locator("table[data-filtered] tbody:not(.fold) tr:visible").all()
    assert {row.get_attribute("data-method") for row in rows} == {"acop"}
    for name in ("fassl_random_init", "fassl_communication", "fassl_rounds", "fassl_backbone"):
        assert page.locator(f"section#{name} tbody tr:visible").count() > 0, name
    page.get_by_role("combobox", name="Aggregator").select_option("fedavg-bb")
    assert page.locator("#fassl_backbone tbody tr:visible").count() == 1  # one of the two compared
    page.get_by_role("combobox", name="Verdict").select_option("not-run")
    expect(page.locator("#fassl_communication")).to_be_hidden()


def test_a_link_to_what_is_filtered_out_clears_the_filters(opened: Opened) -> None:
    page, target = opened.page, opened.page.locator("#fssuavl_table2")
    page.get_by_role("combobox", name="Method").select_option("acop")
    page.get_by_role("searchbox").fill("acop")
    expect(target).to_be_hidden()
    page.get_by_role("navigation").get_by_role("link", name="fssuavl, table 2").click()
    expect(target).to_be_in_viewport()
    expect(page.get_by_role("combobox", name="Method")).to_have_value("")
    expect(page.get_by_role("searchbox")).to_have_value("")
    count = page.locator("[data-verdict]").count()
    expect(page.get_by_role("status")).to_have_text(f"{count} of {count} numbers")


FOLDED = "#fssuavl-table3.fassl-vit"


def test_folded_rows_open_where_a_search_or_a_link_leads_into_them(opened: Opened) -> None:
    page = opened.page
    section = page.locator("#fssuavl_table3")
    fold, row = section.locator(".fold details"), page.locator(FOLDED.replace(".", "\\."))
    expect(row).to_be_hidden()
    fold.locator("summary").click()
    expect(row).to_be_visible()
    page.get_by_role("searchbox").fill("fassl vit")
    page.get_by_role("searchbox").fill("")
    expect(row).to_be_hidden()  # the end of a search folds what it opened
    page.get_by_role("searchbox").fill("fassl vit")
    expect(row).to_be_visible()
    expect(fold.locator("summary")).to_have_text("1 row not run")
    page.get_by_role("searchbox").fill("")
    page.locator(f'.maps a[href="{FOLDED}"]').click()
    expect(row).to_be_in_viewport()


@pytest.mark.parametrize(
    "opened", [{"java_script_enabled": False, "fragment": FOLDED}], indirect=True
)
def test_without_scripts_a_link_opens_folded_rows(opened: Opened) -> None:
    expect(opened.page.locator(FOLDED.replace(".", "\\."))).to_be_in_viewport()
    summary = opened.page.locator("#fassl_table3 .fold summary")
    row = opened.page.locator("#fassl_table3 .unrun tr").first
    expect(row).to_be_hidden()
    summary.click()
    expect(row).to_be_visible()


def test_a_long_table_keeps_its_header_in_view(opened: Opened) -> None:
    table = opened.page.locator("#fassl_selection table")
    table.locator(".fold summary").click()
    table.locator("tbody tr").last.evaluate("row => row.scrollIntoView({ block: 'end' })")
    expect(table.locator("thead th").first).to_be_in_viewport()
    expect(table.locator("tbody tr").last).to_be_in_viewport()
    expect(table.locator("tbody tr").first).not_to_be_in_viewport()


def test_what_is_drawn_and_listed_lies_within_its_frame(opened: Opened) -> None:
    """The ledger fits beside the contents; no link hangs out of a figure's card."""
    page = opened.page
    page.set_viewport_size({"width": 1440, "height": 900})
    box = page.locator("#fssuavl_communication .scroll")
    assert box.evaluate("box => box.scrollWidth <= box.clientWidth")
    for figure in page.locator("#figures figure").all():
        card, links = figure.bounding_box(), figure.locator(".files").bounding_box()
        assert card and links and links["y"] + links["height"] < card["y"] + card["height"]


def test_the_page_scrolls_and_not_the_box_of_a_table_that_fits(opened: Opened) -> None:
    page = opened.page
    box = page.locator("#claims .scroll")
    assert box.evaluate("box => getComputedStyle(box).overflowY") == "visible"
    box.locator("tbody tr").last.evaluate("row => row.scrollIntoView({ block: 'end' })")
    expect(box.locator("thead th").first).to_be_in_viewport()


def test_a_point_of_an_embedding_map_picks_out_its_class_in_all_panels(opened: Opened) -> None:
    figure = opened.page.locator("#map-fssuavl_figure2")
    canvases = figure.locator("canvas")
    pictures = "canvases => canvases.map((canvas) => canvas.toDataURL())"
    before = canvases.evaluate_all(pictures)
    assert len(before) > 1
    first = canvases.first
    first.scroll_into_view_if_needed()
    first.hover(position={"x": 8, "y": 232})  # the first sample, at the lower left
    expect(figure.locator(".picked")).to_have_text(re.compile(r": class 0, 5 samples$"))
    expect(figure.locator("select")).to_have_value("0 0")
    after = canvases.evaluate_all(pictures)
    assert all(one != other for one, other in zip(before, after, strict=True))
    figure.locator("select").select_option("")
    assert canvases.evaluate_all(pictures) == before
    expect(figure.locator(".picked")).to_be_empty()


def test_a_count_in_the_head_leads_to_its_claims(opened: Opened) -> None:
    page = opened.page
    page.locator('#verdicts a[href="?verdict=fails#claims"]').click()
    rows = page.locator("#claims tbody tr:visible")
    expect(rows.first.locator(".verdict").first).to_have_text("fails")
    expect(page.locator('#claims tbody tr:not([data-is~="fails"]):visible')).to_have_count(0)
    page.get_by_role("combobox", name="Verdict").select_option("holds")
    assert "verdict=holds" in page.url


def test_each_point_of_a_picture_leads_to_its_number_or_claim(opened: Opened) -> None:
    links = opened.page.locator("#verdicts .picture a")
    targets = [link.get_attribute("href") or "" for link in links.all()]
    assert targets
    assert (
        opened.page.evaluate(
            "ids => ids.filter((id) => !document.getElementById(id))",
            [target[1:] for target in targets],
        )
        == []
    )


def test_a_gain_and_a_figure_open_the_panel_of_their_jobs(opened: Opened) -> None:
    page, dialog = opened.page, opened.page.get_by_role("dialog")
    row = page.locator("#fssuavl_random_init tbody tr").first
    row.locator("a.measured").click()
    expect(dialog.get_by_role("heading").first).to_have_text(row.locator("th").inner_text())
    expect(dialog.get_by_role("link", name="knn.json").first).to_be_visible()
    page.keyboard.press("Escape")
    expect(row.locator("a.measured")).to_be_focused()
    page.locator("#figure-fssuavl_loss").get_by_role("link", name="Jobs behind").click()
    dialog.locator("summary").first.click()
    expect(dialog.locator("svg.curve").first).to_be_visible()


def test_the_first_screen_decodes_names_and_holds_the_key_of_its_pictures(opened: Opened) -> None:
    page = opened.page
    page.set_viewport_size({"width": 1440, "height": 900})
    key = page.locator(".picture .key").first.bounding_box()
    assert key and key["y"] + key["height"] < 900
    names = page.locator("#names")
    names.locator("summary").click()
    meanings = dict(zip(names.locator("dt").all(), names.locator("dd").all(), strict=True))
    said = {name.inner_text(): meaning.inner_text() for name, meaning in meanings.items()}
    assert said["R-18"] == "resnet18" and "cifar10" in said["C-10"]
    assert {"aX-iY-bZ", "-bb", "KS2", "E=10", "FVSSL"} <= set(said)
