"""What a bank says about its members: notes and reasons, the same in every run."""

from pathlib import Path

import numpy as np
import pytest

from fedssl.data.banks.bank import read_facts
from fedssl.data.decode import decode_image
from fedssl.data.readers.containers.container import NO_LENGTH
from fedssl.data.readers.sounds import CLIPPED, QUIET, read_sound
from fedssl.data.samples import CANCELLED, UnreadableError
from tests.unit.own_files import FOLDER, bank, by_class, sound
from tests.unit.sounds import encoded, tone

NOISE = np.random.default_rng(0).standard_normal(8_000)


def piped(sound: np.ndarray) -> bytes:
    data = encoded(sound)
    place = data.index(b"data") + 4
    return data[:place] + bytes(4) + data[place + 4 :]


def test_a_bank_counts_its_notes_and_names_the_first_members(tmp_path: Path) -> None:
    folder = by_class(tmp_path / "s")
    for take in range(8):
        sound(folder / "b" / f"{take}.wav", hz=800 + take)
    before = bank(FOLDER, folder, tmp_path / "before").digest
    assert "notes" not in read_facts(tmp_path / "before")
    for take in range(7):
        path = folder / "a" / f"{take}.wav"
        wave = tone(300 + take, seconds=0.05)
        assert path.read_bytes() == encoded(wave)
        path.write_bytes(piped(wave))
    after = bank(FOLDER, folder, tmp_path / "after")
    names = [f"a/{take}.wav" for take in range(5)]
    assert read_facts(tmp_path / "after")["notes"] == {NO_LENGTH: {"members": 7, "first": names}}
    assert after.digest == before, "notes are not part of what a bank holds"


@pytest.mark.parametrize("content", [b"", b"<html>Sign in</html>", b"\xff\xd8\xff\xe0 cut"])
def test_an_unreadable_member_does_not_make_two_builds_differ(
    content: bytes, tmp_path: Path
) -> None:
    folder, texts = by_class(tmp_path / "s"), set()
    (folder / "a" / "page.wav").write_bytes(content)
    for build in ("one", "two"):
        bank(FOLDER, folder, tmp_path / build, max_bad_share=0.1)
        texts.add((tmp_path / build / "bank.json").read_text())
    for _ in range(2):
        with pytest.raises(UnreadableError) as caught:
            decode_image(content)
        texts.add(str(caught.value))
    assert len(texts) == 2 and not any("object at" in text for text in texts)


def test_which_members_are_bad_is_part_of_the_digest_but_not_why(tmp_path: Path) -> None:
    folder = by_class(tmp_path / "s")
    digests = []
    for name, content in (("x.wav", b""), ("x.txt", b""), ("x.wav", b"RIFF")):
        (folder / "a" / name).write_bytes(content)
        digests.append(bank(FOLDER, folder, tmp_path / "bank", max_bad_share=0.1).digest)
        (folder / "a" / name).unlink()
    assert digests[0] == digests[2] != digests[1]


@pytest.mark.parametrize(
    ("sound", "subtype", "note"),
    [
        (900.0 * NOISE / np.abs(NOISE).max(), "FLOAT", CLIPPED),
        (np.stack([0.3 * tone(440), -0.29 * tone(440)], axis=1), "PCM_16", CANCELLED),
        (1e-4 * tone(440), "PCM_24", QUIET),
    ],
)
@pytest.mark.parametrize("rate", [8_000, 16_000])
def test_sound_that_the_bank_changes_is_noted(
    sound: np.ndarray, subtype: str, note: str, rate: int
) -> None:
    assert read_sound(encoded(sound, rate=rate, subtype=subtype)).notes == (note,)


@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100])
def test_ordinary_sound_and_silence_have_no_note(rate: int) -> None:
    for wave in (tone(440), np.stack([tone(440), tone(600)], axis=1), np.zeros(99), np.zeros(0)):
        assert read_sound(encoded(wave, rate=rate, subtype="PCM_24")).notes == ()


def test_pieces_give_the_samples_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    sound = np.random.default_rng(0).uniform(-1, 1, (30_000, 2))
    data = encoded(sound, rate=44_100, subtype="PCM_24")
    whole = read_sound(data).data
    monkeypatch.setattr("fedssl.data.readers.sounds._PIECE", 999)
    np.testing.assert_array_equal(read_sound(data).data, whole)


def test_the_limit_is_minutes_whatever_the_rate_and_channels() -> None:
    for rate, channels in ((8_000, 1), (48_000, 2)):
        data = encoded(np.zeros((3 * rate, channels)), rate=rate)
        assert len(read_sound(data, max_minutes=0.05).data) == 48_000
        with pytest.raises(UnreadableError, match=r"lasts 0.05 minutes where 0.049 are allowed"):
            read_sound(data, max_minutes=0.049)
