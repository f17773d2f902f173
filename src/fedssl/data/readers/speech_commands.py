"""Speech Commands V2: one tar.gz of 16 kHz clips of single words, up to 1 s long.

`validation_list.txt` and `testing_list.txt` in the archive name the clips of two splits, and the
rest is train. The official archive has 84,843 / 9,981 / 11,005 clips, as torchaudio's
`SPEECHCOMMANDS`.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from fedssl.data.banks.bank import Modality
from fedssl.data.readers.archive_members import read_text, tar_members
from fedssl.data.readers.sounds import read_sound
from fedssl.data.samples import BadMember, Encoded
from fedssl.errors import UserError

MODALITY: Modality = "audio"

# paper: 84,848 / 4,890 clips (table 1), which are the Hugging Face splits with noise recordings and
# another test archive; here: the official lists. Only the names of words contain `_nohash_`, so
# this pattern leaves `_background_noise_` out.
CLIP = re.compile(r"([a-z]+)/[0-9a-f]+_nohash_\d+\.wav")
_LISTS = {"validation_list.txt": "validation", "testing_list.txt": "test"}


def read(archives: Mapping[str, Path]) -> Iterator[Encoded | BadMember]:
    """Yield the `train`, `validation` and `test` clips, in the order of the archive.

    Raises:
        UserError: the archive is damaged or has no lists.
    """
    # The lists can come after the clips in the archive, so a first pass looks for them. Keeping the
    # clips in memory until then would need gigabytes.
    split_of = read_lists(archives["clips"])
    for name, load in tar_members(archives["clips"]):
        if match := CLIP.fullmatch(name):
            split = split_of.get(name, "train")
            yield Encoded(name, load, read_sound, label=match[1], split=split)


def read_lists(path: Path) -> dict[str, str]:
    """Return clip name -> split for all listed clips; stop reading after the second list."""
    split_of: dict[str, str] = {}
    missing = set(_LISTS)
    for name, load in tar_members(path):
        if name in missing:
            missing.remove(name)
            listed = read_text(load, f"{name} of {path}").split()
            split_of.update(dict.fromkeys(listed, _LISTS[name]))
        if not missing:
            return split_of
    raise UserError(
        f"{path} has no {' and no '.join(sorted(missing))}, which define the splits; acquire it "
        "again"
    )
