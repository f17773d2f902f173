"""Links from the page to the files of the run and to the papers."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from markupsafe import Markup, escape

_ARXIV = re.compile(r"arXiv[ :](\d{4}\.\d{4,5})")


class Links:
    """Relative links from the page to files that exist."""

    def __init__(self, page: str | Path) -> None:
        """Take the path of the page, `<results>/report/index.html`."""
        self._folder = Path(page).parent
        self._results = self._folder.parent

    def to(self, path: str | Path) -> str | None:
        """Return the relative URL of a file, or None if there is no such file."""
        return quote(os.path.relpath(path, self._folder)) if Path(path).is_file() else None

    def beside(self, output: Path, *, rule: str, record: Path) -> list[tuple[str, str]]:
        """Return (text, URL) of an output, its predictions, and its job's log and record."""
        named = [
            (output.name, output),
            (f"predictions ({output.stem}.parquet)", output.with_suffix(".parquet")),
            *(("log", log) for log in self._logs(output, rule=rule)),
            ("record", record),
        ]
        return [(text, url) for text, path in named if (url := self.to(path))]

    def _logs(self, output: Path, *, rule: str) -> Iterator[Path]:
        """Yield where the log of a job can be, which its record does not say."""
        if not output.is_relative_to(self._results):
            return
        # Logs repeat the folders of the outputs. Their first folder has the name of the rule, or
        # of the rule that it is a variant of, such as `evaluate` for `evaluate_random_init`.
        folders = output.relative_to(self._results).parts[1:-1]
        words = rule.split("_")
        for count in range(len(words), 0, -1):
            log = Path(self._results, "logs", "_".join(words[:count]), *folders)
            found = [log.with_name(f"{log.name}.log"), log / f"{output.stem}.log"]
            existing = [path for path in found if path.is_file()]
            if existing:
                yield existing[0]
                return


def with_arxiv(text: str) -> Markup:
    """Return escaped text in which each arXiv number is a link."""
    link = r'<a href="https://arxiv.org/abs/\1">arXiv \1</a>'
    return Markup(_ARXIV.sub(link, str(escape(text))))
