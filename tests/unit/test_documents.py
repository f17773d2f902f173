"""The documents: no dead link, no long page, no page that cannot be found, no untested command."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

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
    assert document.words() <= 1500


def test_the_readme_has_fewer_than_900_words() -> None:
    assert Document("README.md").words() < 900


def test_every_page_is_in_the_navigation_of_the_site() -> None:
    shown = set(re.findall(r"[\w/-]+\.md", (ROOT / "mkdocs.yml").read_text()))
    assert shown == {page.name.removeprefix("docs/") for page in PAGES}


def test_the_site_asks_for_nothing_on_a_network() -> None:
    site = yaml.safe_load((ROOT / "mkdocs.yml").read_text())
    assert site["theme"]["font"] is False
    # The plugin for pages without a server loads a script from a network.
    assert "offline" not in site["plugins"] and site["use_directory_urls"] is False


@names
def test_a_block_that_another_test_runs_names_it(document: Document) -> None:
    for test in document.tests():
        file, _, function = test.partition("::")
        assert re.search(rf"^def {function}\(", (ROOT / file).read_text(), re.MULTILINE), test


@names
def test_a_command_is_in_a_block_that_is_run(document: Document) -> None:
    """A fence of another language would hide a command from the tests."""
    fences = re.findall(
        r"^ *```(?!bash)\S*.*?\n(.*?)^ *```", document.text, re.MULTILINE | re.DOTALL
    )
    lines = [line for fence in fences for line in fence.splitlines()]
    assert [line for line in lines if re.match(r"(snakemake|fedssl|make) ", line)] == []


def test_the_reference_of_commands_is_that_of_the_code(tmp_path: Path) -> None:
    """The command of the Makefile writes the same page."""
    (command,) = re.findall(r"\$\(BIN\)/(typer .*) --output", (ROOT / "Makefile").read_text())
    page = tmp_path / "commands.md"
    program = [str(Path(sys.executable).with_name("typer")), *command.split()[1:]]
    env = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    subprocess.run([*program, "--output", str(page)], env=env, check=True, capture_output=True)
    assert page.read_text() == Document("docs/reference/commands.md").text, "run `make schemas`"


# Messages of Snakemake and torch.
_OF_OTHERS = (
    "Directory cannot be locked",
    "CUDA out of memory",
    "could not determine the home directory",
)


def test_every_message_of_the_troubleshooting_page_can_be_printed() -> None:
    headings = re.findall(r"^### (.+)$", Document("docs/troubleshooting.md").text, re.MULTILINE)
    assert len(headings) > 20
    printed = "\n".join([*texts_of_the_package(), (ROOT / "Makefile").read_text()])
    parts = [part.strip() for heading in headings for part in heading.split("...")]
    unknown = [part for part in parts if part not in printed and part not in _OF_OTHERS]
    assert unknown == []


def texts_of_the_package() -> list[str]:
    """Return every literal text of the code; a literal over several lines counts as one."""
    trees = (ast.parse(path.read_text()) for path in (ROOT / "src").rglob("*.py"))
    nodes = (node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Constant))
    return [node.value for node in nodes if isinstance(node.value, str)]
