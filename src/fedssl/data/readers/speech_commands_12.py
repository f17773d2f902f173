"""Speech Commands V2 with 12 classes: ten commands, `_unknown_` and `_silence_`.

`test` is a separate archive made for this task, with one folder per class. `train` and
`validation` come from the main archive, whose test list is not used. There, the 25 other words
become `_unknown_`, and `_silence_` is cut from the noise recordings: 1 s every 0.5 s.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from fedssl.data.banks.bank import SAMPLE_RATE, Modality
from fedssl.data.banks.decoding import decode_members
from fedssl.data.readers.archive_members import tar_members
from fedssl.data.readers.sounds import read_sound
from fedssl.data.readers.speech_commands import CLIP, read_lists
from fedssl.data.samples import Encoded, Member, Sample

MODALITY: Modality = "audio"

COMMANDS = ("down", "go", "left", "no", "off", "on", "right", "stop", "up", "yes")
UNKNOWN, SILENCE = "_unknown_", "_silence_"

_NOISE = re.compile(r"_background_noise_/(\w+)\.wav")
# As in TensorFlow Datasets, as far as its published counts show: this recording is validation, the
# other five are train.
_VALIDATION_NOISE = "running_tap"
# File names in the test archive can end in ".wav.wav".
_TEST_CLIP = re.compile(rf"({'|'.join((*COMMANDS, UNKNOWN, SILENCE))})/[^/]+\.wav")


def read(archives: Mapping[str, Path]) -> Iterator[Member]:
    """Yield the `train` and `validation` clips, then the `test` clips, in archive order."""
    split_of = read_lists(archives["clips"])
    for name, load in tar_members(archives["clips"]):
        split = split_of.get(name, "train")
        if (match := CLIP.fullmatch(name)) and split != "test":
            label = match[1] if match[1] in COMMANDS else UNKNOWN
            yield Encoded(name, load, read_sound, label=label, split=split)
        elif match := _NOISE.fullmatch(name):
            split = "validation" if match[1] == _VALIDATION_NOISE else "train"
            yield from _silences(Encoded(name, load, read_sound, label=SILENCE, split=split))
    for name, load in tar_members(archives["test"]):
        if match := _TEST_CLIP.fullmatch(name):
            yield Encoded(f"test/{name}", load, read_sound, label=match[1], split="test")


def _silences(noise: Encoded) -> Iterator[Member]:
    """Yield clips of 1 s from a noise recording; each starts 0.5 s after the previous one."""
    # Decode here and not in a worker: one member of the archive becomes many samples.
    (recording,) = decode_members([noise])
    if not isinstance(recording, Sample):
        yield recording
        return
    for start in range(0, len(recording.data) - SAMPLE_RATE, SAMPLE_RATE // 2):
        clip = recording.data[start : start + SAMPLE_RATE]
        yield Sample(f"{noise.name}/{start}", SILENCE, noise.split, clip)
