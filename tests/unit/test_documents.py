"""The documents: no dead link, no long page, no page that cannot be found, no untested command."""

import re

import pytest
import yaml

from tests.unit.documents import ROOT, Document, documents

ALL = documents()
PAGES = documents("docs")
names = pytest.mark.parametrize("document", ALL, ids=lambda document: document.name)


@names
def test_every_relative_link_resolves(document: Document) -> None:
    broken = []
    for link in document.links():
        name, _, anchor = link.partition("#")
        target = (document.path.parent / name).resolve() if name else document.path
        if not target.exists():
            broken.append(link)
        elif anchor:
            anchors = Document(str(target.relative_to(ROOT))).anchors()
            broken += [] if anchor in anchors else [link]
    assert broken == []


@pytest.mark.parametrize("document", PAGES, ids=lambda document: document.name)
def test_no_page_has_more_than_1500_words(document: Document) -> None:
    assert len(document.text.split()) <= 1500


def test_the_readme_has_fewer_than_900_words() -> None:
    assert len(Document("README.md").text.split()) < 900


def test_every_page_is_in_the_navigation_of_the_site() -> None:
    shown = set(re.findall(r"[\w/-]+\.md", (ROOT / "mkdocs.yml").read_text()))
    assert shown == {page.name.removeprefix("docs/") for page in PAGES}


def test_the_site_asks_for_nothing_on_a_network() -> None:
    site = yaml.safe_load((ROOT / "mkdocs.yml").read_text())
    assert site["theme"]["font"] is False and "offline" in site["plugins"]


@names
def test_a_block_that_another_test_runs_names_it(document: Document) -> None:
    for test in document.tests():
        file, _, function = test.partition("::")
        assert re.search(rf"^def {function}\(", (ROOT / file).read_text(), re.MULTILINE), test


@names
def test_a_command_is_in_a_block_that_is_run(document: Document) -> None:
    """A fence of another language would hide a command from the tests."""
    fences = re.findall(r"^ *```(?!bash)\S*.*?\n(.*?)^ *```", document.text, re.MULTILINE | re.DOTALL)
    lines = [line for fence in fences for line in fence.splitlines()]
    assert [line for line in lines if re.match(r"\$? ?(snakemake|fedssl|make) ", line)] == []
