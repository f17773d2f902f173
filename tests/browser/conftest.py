"""A browser, and the report page of a run that nobody computed, opened in it."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser.chromium import chromium
from tests.debian import UnavailableError
from tests.report_tree import ReportTree

HOSTILE = (
    "</script><script>document.title='owned'</script><img src=x onerror=\"document.title=1\">'"
)


@dataclass
class Opened:
    """A page, and what it did that it must not do."""

    page: Page
    faults: list[str] = field(default_factory=list)

    def watch(self, allowed: str) -> None:
        """Keep errors of the page, and requests of anything that does not start so."""
        self.page.on("pageerror", self._keep)
        self.page.on("console", self._keep_console)
        self.page.on("request", lambda request: self._keep_request(request.url, allowed))

    def _keep(self, error: Any) -> None:
        self.faults.append(str(error))

    def _keep_console(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.faults.append(message.text)

    def _keep_request(self, url: str, allowed: str) -> None:
        if not url.startswith((allowed, "data:")):
            self.faults.append(f"requested {url}")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    try:
        found = chromium()
    except UnavailableError as error:
        pytest.skip(f"Chromium cannot be had here: {error}")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=found.program, env=os.environ | found.env, args=["--no-sandbox"]
        )
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a run at paper scale, two seeds, with names that try to become markup."""
    tree = ReportTree.of(tmp_path_factory.mktemp("report"), "demo.yaml")
    tree.config["scale"] = {"kind": "paper", "note": ""}
    tree.config["seeds"] = [0, 1]
    tree.host = HOSTILE
    tree.draws_losses = True
    table = tree.config["tables"]["fssuavl_table2"]
    table["title"] += HOSTILE
    table["rows"].append({"row": HOSTILE, "arch": "resnet18", "split": "a0-i0-b100"})
    return tree.write()


@pytest.fixture
def opened(browser: Browser, report: Path, request: pytest.FixtureRequest) -> Iterator[Opened]:
    """The page from disk; parametrise it with a context's settings, and `fragment`."""
    settings = dict(getattr(request, "param", {}))
    fragment = settings.pop("fragment", "")
    context = browser.new_context(**({"viewport": {"width": 1280, "height": 900}} | settings))
    context.set_default_timeout(20_000)
    opened = Opened(context.new_page())
    opened.watch(report.as_uri())
    opened.page.goto(report.as_uri() + fragment)
    yield opened
    title = opened.page.title()
    context.close()
    assert opened.faults == []
    assert title.startswith("Reproduction report")
