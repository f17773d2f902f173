"""Speech Commands V2: one tar.gz of 16 kHz words of up to 1 s, split by two lists inside it.

`validation_list.txt` and `testing_list.txt` name their clips, train is the rest and
`_background_noise_` is left out: 84,843 / 9,981 / 11,005 clips in the official archive. The subsets
of torchaudio's `SPEECHCOMMANDS` are the same three.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from fedssl.data.banks.bank import Modality
from fedssl.data.banks.members import BadMember, Encoded
from fedssl.data.readers.archive_members import read_text, tar_members
from fedssl.data.readers.decode import decode_audio
from fedssl.errors import UserError

MODALITY: Modality = "audio"

# Only words have `_nohash_`, so this leaves `_background_noise_` out.
CLIP = re.compile(r"([a-z]+)/[0-9a-f]+_nohash_\d+\.wav")
_LISTS = {"validation_list.txt": "validation", "testing_list.txt": "test"}


def read(archives: Mapping[str, Path]) -> Iterator[Encoded | BadMember]:
    """Yield the `train`, `validation` and `test` clips in the order of the archive.

    The lists may stand behind the clips, so a first pass over the archive finds them; holding the
    clips back instead would take gigabytes.
    """
    split_of = read_lists(archives["clips"])
    for name, load in tar_members(archives["clips"]):
        if match := CLIP.fullmatch(name):
            split = split_of.get(name, "train")
            yield Encoded(name, load, decode_audio, label=match[1], split=split)


def read_lists(path: Path) -> dict[str, str]:
    """Return member name -> split of every listed clip; stops once both lists are read."""
    split_of: dict[str, str] = {}
    missing = set(_LISTS)
    for name, load in tar_members(path):
        if name in missing:
            missing.remove(name)
            listed = read_text(load, f"{name} of {path}").split()
            split_of.update(dict.fromkeys(listed, _LISTS[name]))
        if not missing:
            return split_of
    raise UserError(f"{path} has no {' and no '.join(sorted(missing))}, which say the splits")
