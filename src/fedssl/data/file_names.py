"""Names of files on users' disks: leftovers of operating systems, and forms of Unicode."""

import functools
import os
import re
import unicodedata

# Compared without case. Names that begin with a dot need not be listed.
_LEFTOVERS = frozenset(
    """
    __macosx|icon\r|network trash folder|temporary items|thevolumesettingsfolder
    |thumbs.db|ehthumbs.db|ehthumbs_vista.db|desktop.ini|$recycle.bin|recycler|recycled
    |system volume information|indexervolumeguid|wpsettings.dat|folder.htt|lost+found
    |@eadir|#recycle|#snapshot|@tmp|@recycle|@recently-snapshot|@sharebin|~snapshot
    |picasa.ini|zbthumbnail.info|autorun.inf|lost.dir|desktop db|desktop df|@synofinder-log
    |$winreagent|msocache|config.msi|aquota.user|aquota.group
    """.replace("\n    ", "").split("|")
)
# Files with streams or attributes of another file, locks of Office, and folders of chkdsk.
_PATTERN = re.compile(
    r".*:(zone\.identifier|encryptable)|.*@syno(eastream|resource)|~\$.*|found\.\d{3}"
    r"|albumart_\{.*\}_(large|small)\.jpg"
)


# Characters, categories and directions of Unicode that `can_be_shown` excludes.
_NO_WIDTH = "\u200b\ufeff"
_NOT_SHOWN = frozenset({"Cc", "Cs", "Zl", "Zp"})
_DIRECTIONS = frozenset({"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"})


def is_leftover(name: str) -> bool:
    """Return whether a file or folder is hidden, or made by an operating system or a NAS."""
    small = name.casefold()
    return small.startswith(".") or small in _LEFTOVERS or bool(_PATTERN.fullmatch(small))


def can_be_shown(text: str) -> bool:
    """Return whether text can stand in a table and in a message, on one line.

    It has no control characters, line separators, single surrogates, changes of direction or spaces
    of no width. Other spaces and joiners are right: macOS and many scripts write them.
    """
    return not any(
        character in _NO_WIDTH
        or unicodedata.category(character) in _NOT_SHOWN
        or unicodedata.bidirectional(character) in _DIRECTIONS
        for character in text
    )


def one_form(text: str) -> str:
    """Return text in Unicode form NFC.

    macOS writes names in form NFD, in which an umlaut is two characters. They look the same.
    """
    return unicodedata.normalize("NFC", text)


def existing_path(path: str) -> str:
    """Return the path in the Unicode form that the disk has; unchanged if it does not exist."""
    if path.isascii() or os.path.lexists(path):
        return path
    folder, name = os.path.split(path)
    folder = existing_path(folder)
    return os.path.join(folder, _spellings(folder or ".").get(one_form(name), name))


@functools.lru_cache(maxsize=1024)
def _spellings(folder: str) -> dict[str, str]:
    """Return name in form NFC -> name, of everything in a folder."""
    try:
        return {one_form(name): name for name in os.listdir(folder)}
    except OSError:
        return {}
