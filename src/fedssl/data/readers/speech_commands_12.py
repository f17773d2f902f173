"""Speech Commands V2 as 12 classes: ten commands, `_unknown_` and `_silence_`.

`test` is the archive made for it, a folder per class, file names with one or two `.wav`. `train`
and `validation` are those of the main archive, the 25 other words as `_unknown_`; its test list is
not used. `_silence_` is cut there from the noise recordings, 1 s every 0.5 s, of which running_tap
is validation: the rule of TensorFlow Datasets, as far as its counts tell.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from fedssl.data.banks.bank import SAMPLE_RATE, Modality
from fedssl.data.banks.decoding import decode_members
from fedssl.data.banks.members import Encoded, Member, Sample
from fedssl.data.readers.archive_members import tar_members
from fedssl.data.readers.decode import decode_audio
from fedssl.data.readers.speech_commands import CLIP, read_lists

MODALITY: Modality = "audio"

COMMANDS = ("down", "go", "left", "no", "off", "on", "right", "stop", "up", "yes")
UNKNOWN, SILENCE = "_unknown_", "_silence_"

_NOISE = re.compile(r"_background_noise_/(\w+)\.wav")
_VALIDATION_NOISE = "running_tap"
_TEST_CLIP = re.compile(rf"({'|'.join((*COMMANDS, UNKNOWN, SILENCE))})/[^/]+\.wav")


def read(archives: Mapping[str, Path]) -> Iterator[Member]:
    """Yield `train` and `validation`, then the `test` clips, each in the order of its archive."""
    split_of = read_lists(archives["clips"])
    for name, load in tar_members(archives["clips"]):
        split = split_of.get(name, "train")
        if (match := CLIP.fullmatch(name)) and split != "test":
            label = match[1] if match[1] in COMMANDS else UNKNOWN
            yield Encoded(name, load, decode_audio, label=label, split=split)
        elif match := _NOISE.fullmatch(name):
            split = "validation" if match[1] == _VALIDATION_NOISE else "train"
            yield from _silences(Encoded(name, load, decode_audio, label=SILENCE, split=split))
    for name, load in tar_members(archives["test"]):
        if match := _TEST_CLIP.fullmatch(name):
            yield Encoded(f"test/{name}", load, decode_audio, label=match[1], split="test")


def _silences(noise: Encoded) -> Iterator[Member]:
    """Yield the seconds of a noise recording, each half a second after the one before."""
    (recording,) = decode_members([noise], threads=1)
    if not isinstance(recording, Sample):
        yield recording
        return
    for start in range(0, len(recording.data) - SAMPLE_RATE, SAMPLE_RATE // 2):
        clip = recording.data[start : start + SAMPLE_RATE]
        yield Sample(f"{noise.name}/{start}", SILENCE, noise.split, clip)
