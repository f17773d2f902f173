"""Reduce what Snakemake prints about an error to the message."""

import re

# What Snakemake adds around a message: the type and place of an exception, and its traceback.
_HEADING = re.compile(
    r'^\w*(?:Error|Exception)(?: in (?:file "[^"]*"|rule \w+))?(?:, line \d+)?:?\s*'
)
_PLACE = re.compile(r'^File ".*", line \d+, in ')
_OURS = re.compile(r"^fedssl: (.+(?:\n.+)*)", re.MULTILINE)
_NOTICE = "Using workflow specific profile"  # which Snakemake prints with any error


def complaint(printed: str) -> str:
    """Return the message of the first error in Snakemake's output, in one line."""
    lines = [line.strip() for line in printed.splitlines() if line.strip()]
    starts = [place for place, line in enumerate(lines) if "Error" in line or "Exception" in line]
    first, *others = lines[starts[0] :] if starts else (lines[-3:] or [""])
    said = [_HEADING.sub("", first), *(line for line in others if not _dropped(line))]
    return " ".join(filter(None, said))


def refusal(printed: str) -> str:
    """Return why Snakemake planned nothing: our own message, or Snakemake's as a quotation."""
    if ours := _OURS.search(printed):
        return " ".join(ours[1].split())
    return f"Snakemake cannot plan the jobs: {complaint(printed)}"


def _dropped(line: str) -> bool:
    return line.startswith(_NOTICE) or _PLACE.match(line) is not None
