"""Command lines in the form of Snakemake's: several values after one option."""

from collections.abc import Callable, Sequence
from pathlib import Path

_YAML = (".yaml", ".yml")

# Option -> whether a word that follows its value is another value, and not an argument.
_REPEATED: dict[str, Callable[[str], bool]] = {
    # A target can end in .json, too.
    "--configfile": lambda word: (
        word.endswith(_YAML) or (word.endswith(".json") and Path(word).is_file())
    ),
    "--config": lambda word: "=" in word,
}


def each_with_option(words: Sequence[str]) -> list[str]:
    """Return a command line in which each value of a repeated option has the option before it."""
    found: list[str] = []
    option = ""
    for word in words:
        follows = len(found) > 1 and found[-2] == option and not word.startswith("-")
        if option and follows and _REPEATED[option](word):
            found.append(option)
        elif word in _REPEATED:
            option = word
        found.append(word)
    return found
