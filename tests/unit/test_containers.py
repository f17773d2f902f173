"""Sound that is cut off or joined is refused; whole files with a wrong header are read."""

import io
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from fedssl.data.readers.containers import mp3
from fedssl.data.readers.containers.container import NO_LENGTH, OPEN_END, PADDING, REST
from fedssl.data.readers.sounds import read_sound
from fedssl.data.samples import UnreadableError
from tests.unit.sounds import encoded, tone

WHOLE = "it is not a whole sound file"
SOUND = tone(440, seconds=2.0) + 0.01 * np.random.default_rng(0).standard_normal(32_000)
KINDS = [
    ("WAV", "PCM_16", {}),
    ("WAV", "PCM_16", {"endian": "BIG"}),
    ("WAV", "GSM610", {}),
    ("RF64", "PCM_24", {}),
    ("W64", "PCM_16", {}),
    ("AIFF", "PCM_16", {}),
    ("AIFF", "GSM610", {}),
    ("AU", "PCM_16", {}),
    ("AU", "PCM_16", {"endian": "LITTLE"}),
    ("CAF", "ALAC_16", {}),
    ("FLAC", "PCM_16", {}),
    ("OGG", "VORBIS", {}),
    ("OGG", "OPUS", {}),
    ("MP3", "MPEG_LAYER_III", {}),
    ("NIST", "PCM_16", {}),
]
any_kind = pytest.mark.parametrize(("container", "subtype", "how"), KINDS)


def written(container: str, subtype: str, how: dict[str, Any], sound: np.ndarray = SOUND) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, sound, 16_000, format=container, subtype=subtype, **how)
    return buffer.getvalue()


def with_field(data: bytes, kind: bytes, value: int, form: str = "<I", skip: int = 4) -> bytes:
    place = data.index(kind) + skip
    return data[:place] + struct.pack(form, value) + data[place + struct.calcsize(form) :]


def without_description(data: bytes) -> bytes:
    """Return an MP3 without the first frame, which gives the number of frames."""
    first = mp3._frame(data[:4])
    assert first
    return data[first.length :]


@any_kind
def test_a_whole_file_is_read_and_any_cut_is_refused(
    container: str, subtype: str, how: dict[str, Any]
) -> None:
    data = written(container, subtype, how)
    assert abs(len(read_sound(data).data) - 32_000) <= 320
    lengths = [*range(1, 40), *range(40, len(data), len(data) // 23)]
    # Metadata may follow the sound of a CAF file.
    for cut in lengths if container != "CAF" else lengths[50:]:
        with pytest.raises(UnreadableError, match=r"it is not a|its header"):
            read_sound(data[:-cut])


@any_kind
def test_joined_files_are_refused(container: str, subtype: str, how: dict[str, Any]) -> None:
    data = written(container, subtype, how)
    for second in (data, written(container, subtype, how, SOUND[:8_000])):
        with pytest.raises(UnreadableError, match="several sound files joined"):
            read_sound(data + second)


@pytest.mark.parametrize("container", ["RF64", "W64", "AIFF", "AU"])
def test_every_container_gives_the_samples_of_the_wav(container: str) -> None:
    expected = read_sound(encoded(SOUND)).data
    np.testing.assert_array_equal(read_sound(encoded(SOUND, container=container)).data, expected)


@pytest.mark.parametrize(
    "length",
    [0, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF, 0xFFFF_FFDB, 0x7F00_0000, 2_000_000_000, 64_036],
)
def test_a_whole_wav_with_a_placeholder_is_read_with_a_note(length: int) -> None:
    data = encoded(SOUND)
    expected = read_sound(data)
    assert expected.notes == ()
    for riff in (None, 0, length + 36):
        changed = with_field(data, b"data", length)
        if riff is not None and length != 64_036:
            changed = with_field(changed, b"RIFF", min(riff, 0xFFFF_FFFF))
        found = read_sound(changed)
        np.testing.assert_array_equal(found.data, expected.data)
        assert found.notes == (NO_LENGTH,)


@pytest.mark.parametrize(
    ("container", "kind", "form", "skip", "values"),
    [
        ("AIFF", b"SSND", ">I", 4, (0, 8, 0x7F00_0008, 0xFFFF_FFFF)),
        ("AU", b".snd", ">I", 8, (0, 0x7FFF_FFFF)),
        ("W64", b"data", "<Q", 16, (0, 24, 0x7FFF_FFFF_FFFF_FFFF)),
        ("RF64", b"ds64", "<Q", 16, (0, 0xFFFF_FFFF_FFFF_FFFF)),
    ],
)
def test_other_containers_with_a_placeholder_are_read_with_a_note(
    container: str, kind: bytes, form: str, skip: int, values: tuple[int, ...]
) -> None:
    data = encoded(SOUND, container=container)
    for value in values:
        found = read_sound(with_field(data, kind, value, form, skip))
        assert (len(found.data), found.notes) == (32_000, (NO_LENGTH,))


@pytest.mark.parametrize(
    ("container", "kind", "form", "skip"), [("AU", b".snd", ">i", 8), ("CAF", b"data", ">q", 4)]
)
def test_a_length_that_may_be_unknown_is_noted(
    container: str, kind: bytes, form: str, skip: int
) -> None:
    data = encoded(SOUND, container=container)
    found = read_sound(with_field(data, kind, -1, form, skip))
    assert (len(found.data), found.notes) == (32_000, (OPEN_END,))


def test_an_empty_wav_with_chunks_behind_it_is_empty() -> None:
    data = encoded(np.zeros(0)) + b"LIST" + struct.pack("<I", 4) + b"INFO"
    assert len(read_sound(data).data) == 0


@pytest.mark.parametrize("container", ["WAV", "W64", "AU", "NIST", "CAF"])
def test_bytes_behind_the_sound_are_not_read_as_sound(container: str) -> None:
    found = read_sound(encoded(SOUND, container=container) + bytes(range(1, 200)))
    assert (len(found.data), found.notes) == (32_000, (REST,))


def test_a_page_lost_in_the_middle_of_an_ogg_is_noticed() -> None:
    data = written("OGG", "VORBIS", {}, np.tile(SOUND, 10))
    pages = data.split(b"OggS")
    assert len(pages) > 6
    with pytest.raises(UnreadableError, match="pages are missing"):
        read_sound(b"OggS".join([*pages[:5], *pages[6:]]))


def test_an_mp3_that_does_not_say_its_length_is_read_whole_and_noted() -> None:
    # The frames have different bit rates: libsndfile alone would read half of it.
    data = without_description(written("MP3", "MPEG_LAYER_III", {}))
    found = read_sound(data)
    assert len(found.data) >= 32_000 and found.notes == (OPEN_END,)
    with pytest.raises(UnreadableError, match="of its last frame"):
        read_sound(data[:-10])


def test_tags_around_an_mp3_are_no_sound() -> None:
    data = written("MP3", "MPEG_LAYER_III", {})
    tag = b"ID3\4\0\0" + bytes((0, 0, 0, 30)) + bytes(30)
    found = read_sound(tag + data + b"TAG".ljust(128, b" "))
    np.testing.assert_array_equal(found.data, read_sound(data).data)
    assert found.notes == ()


@pytest.mark.parametrize("container", ["WAV", "W64"])
def test_the_padding_of_the_last_adpcm_block_is_no_sound(container: str) -> None:
    assert len(read_sound(encoded(SOUND, container="WAV", subtype="MS_ADPCM")).data) == 32_000
    found = read_sound(encoded(SOUND, container=container, subtype="IMA_ADPCM"))
    # libsndfile counts the padding of this format in the header.
    assert len(found.data) >= 32_000 and found.notes == (PADDING,)


def test_a_format_without_a_check_is_noted() -> None:
    assert read_sound(encoded(SOUND, container="VOC")).notes == (OPEN_END,)


@pytest.mark.parametrize("subtype", ["VORBIS", "OPUS"])
def test_a_damaged_page_in_the_middle_of_an_ogg_is_noticed(subtype: str) -> None:
    data = bytearray(written("OGG", subtype, {}, np.tile(SOUND, 10)))
    data[len(data) // 2] ^= 0xFF
    # The decoder leaves out the page, and returns a sound of the right length.
    with pytest.raises(UnreadableError, match="one of its pages is damaged"):
        read_sound(bytes(data))


@pytest.mark.parametrize("name", ["._", ".AppleDouble"])
def test_an_mp3_is_read_whatever_the_working_directory_holds(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = written("MP3", "MPEG_LAYER_III", {})
    expected = read_sound(data).data
    (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path)
    np.testing.assert_array_equal(read_sound(data).data, expected)


@pytest.mark.parametrize(
    ("container", "subtype"),
    [("AU", "G721_32"), ("AU", "G723_24"), ("AU", "G723_40"), ("WAV", "G721_32")],
)
def test_padding_that_the_header_does_not_count_is_noted(container: str, subtype: str) -> None:
    found = read_sound(encoded(SOUND[:16_000], container=container, subtype=subtype))
    assert len(found.data) > 16_000 and found.notes == (PADDING,)


def test_blocks_of_an_aiff_are_padded() -> None:
    assert read_sound(encoded(SOUND, container="AIFF", subtype="IMA_ADPCM")).notes == (PADDING,)


@pytest.mark.parametrize("cut", [0, 1, 3000])
def test_another_format_in_an_iff_file_is_noted(cut: int) -> None:
    data = encoded(SOUND, container="SVX")
    assert read_sound(data[: len(data) - cut]).notes == (OPEN_END,)


def test_a_chunk_behind_sound_that_is_not_padded_is_no_sound() -> None:
    data = encoded(SOUND[:-1], subtype="PCM_U8")[: 44 + 31_999]
    chunk = b"LIST" + struct.pack("<I", 4) + b"INFO"
    found = read_sound(with_field(data + chunk, b"RIFF", len(data + chunk) - 8))
    assert (len(found.data), found.notes) == (31_999, ())


def test_a_caf_file_that_ends_with_a_byte_too_many_is_read_and_its_joining_noticed() -> None:
    data = encoded(SOUND, container="CAF")
    assert read_sound(data + b"\0").notes == ()
    with pytest.raises(UnreadableError, match="several sound files joined"):
        read_sound(data + b"\0" + data)


@pytest.mark.parametrize("length", range(1000, 1008))
def test_w64_files_are_joined_with_and_without_padding(length: int) -> None:
    data = encoded(SOUND[:length], container="W64", subtype="PCM_U8")
    for first in (data, data.ljust(len(data) + -len(data) % 8, b"\0")):
        with pytest.raises(UnreadableError, match="several sound files joined"):
            read_sound(first + data)


@pytest.mark.parametrize("subtype", ["ULAW", "ALAW"])
def test_a_cut_sphere_file_of_telephone_speech_is_refused(subtype: str) -> None:
    data = encoded(SOUND, container="NIST", subtype=subtype)
    assert read_sound(data).notes == ()
    with pytest.raises(UnreadableError, match="31900 of its 32000 bytes"):
        read_sound(data[:-100])


def test_a_compressed_sphere_file_is_named_as_such() -> None:
    data = encoded(SOUND, container="NIST")
    packed = b"sample_coding -s26 pcm,embedded-shorten-v2.00"
    data = data.replace(b"sample_coding -s3 pcm", packed, 1)
    with pytest.raises(UnreadableError, match=r"compressed \(shorten\); unpack it with sph2pipe"):
        read_sound(data[:20_000])


@pytest.mark.parametrize("length", [0, 100, 0x7FFF_FFFF, 0xFFFF_FFFF])
def test_sound_that_would_begin_behind_the_file_is_refused(length: int) -> None:
    data = encoded(SOUND, container="AU")
    damaged = with_field(with_field(data, b".snd", 1 << 30, ">I"), b".snd", length, ">I", 8)
    with pytest.raises(UnreadableError, match="it is not a"):
        read_sound(damaged)
