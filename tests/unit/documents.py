"""The Markdown documents of the checkout: their prose, commands, links and files to copy."""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
MARKER = re.compile(r"<!-- run by (\S+) -->")
_BASH = re.compile(
    r"(?:<!-- run by (\S+) -->\s*)?^```bash[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL
)
_TITLED = re.compile(r'^```\w+ title="([^"]+)"\n(.*?)^```', re.MULTILINE | re.DOTALL)
_FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^)\s]+)\)|<img src=\"([^\"]+)\"")


@dataclass(frozen=True)
class Document:
    """A Markdown file by its path in the checkout."""

    name: str

    @property
    def path(self) -> Path:
        return ROOT / self.name

    @property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")

    def commands(self) -> list[str]:
        """Return the commands of the blocks that no other test runs, continued lines joined."""
        blocks = [block for test, block in _BASH.findall(self.text) if not test]
        lines = "".join(blocks).replace("\\\n", " ").splitlines()
        return [line for line in lines if line.strip() and not line.startswith("#")]

    def words(self) -> int:
        """Return the number of words, those in code and tables included."""
        return sum(any(map(str.isalnum, word)) for word in self.text.split())

    def files(self) -> dict[str, str]:
        """Return the files that a reader is asked to write, by name."""
        return dict(_TITLED.findall(self.text))

    def tests(self) -> list[str]:
        """Return the tests that run blocks of this document, as `file::function`."""
        return MARKER.findall(self.text)

    def links(self) -> list[str]:
        """Return the targets of the relative links."""
        found = map("".join, _LINK.findall(_FENCE.sub("", self.text)))
        return [link for link in found if "://" not in link and not link.startswith("mailto:")]

    def anchors(self) -> set[str]:
        """Return the anchors of the headings."""
        headings = re.findall(r"^#+ (.+)$", _FENCE.sub("", self.text), re.MULTILINE)
        return {re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-") for text in headings}


def documents(*below: str) -> list[Document]:
    """Return the Markdown files of the checkout, tracked or new, below the given paths."""
    command = ["git", "ls-files", "-co", "--exclude-standard", "-z", "--", *below]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout.decode()
    found = sorted(name for name in names.split("\0") if name.endswith(".md"))
    return [Document(name) for name in found if (ROOT / name).is_file()]
