"""Decoding: exact if the format is right already, close to the original otherwise."""

import io
from collections.abc import Callable

import numpy as np
import pytest
import soundfile
from PIL import ExifTags, Image, ImageOps

from fedssl.data.decode import decode_audio, decode_image, read_image
from fedssl.data.samples import UnreadableError


def wav(waveform: np.ndarray, rate: int, subtype: str = "PCM_16") -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, waveform, rate, format="WAV", subtype=subtype)
    return buffer.getvalue()


def picture(mode: str, *, kind: str = "PNG") -> bytes:
    pixels = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    buffer = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(buffer, format=kind)
    return buffer.getvalue()


def peak_hz(waveform: np.ndarray) -> float:
    spectrum = np.abs(np.fft.rfft(waveform * np.hanning(len(waveform))))
    return float(np.argmax(spectrum) * 16_000 / len(waveform))


def test_a_mono_16_bit_16_khz_file_keeps_every_sample() -> None:
    samples = np.random.default_rng(0).integers(-32768, 32768, 4000).astype(np.int16)
    samples[:3] = (-32768, 32767, 0)
    decoded_samples = decode_audio(wav(samples, 16_000))
    assert decoded_samples.dtype == np.int16
    np.testing.assert_array_equal(decoded_samples, samples)


@pytest.mark.parametrize("rate", [8_000, 22_050, 44_100, 48_000])
def test_resampling_keeps_pitch_level_and_duration(rate: int) -> None:
    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(rate) / rate)
    waveform = decode_audio(wav(tone, rate))
    assert abs(len(waveform) - 16_000) <= 1
    assert peak_hz(waveform) == pytest.approx(440, abs=1)
    middle = waveform[4000:12_000] / 32_768
    assert np.sqrt(np.mean(middle**2)) == pytest.approx(0.5 / np.sqrt(2), rel=0.01)


def test_what_16_khz_cannot_hold_is_filtered_not_folded() -> None:
    tone = 0.5 * np.sin(2 * np.pi * 12_000 * np.arange(44_100) / 44_100)
    waveform = decode_audio(wav(tone, 44_100))
    assert np.abs(waveform[1000:-1000]).max() < 33  # -60 dB; folded it would be half of full scale


def test_channels_are_averaged_and_rounded() -> None:
    channels = np.array([[8000, -2000], [1, 2], [-1, -2]], np.int16)
    assert decode_audio(wav(channels, 16_000)).tolist() == [3000, 2, -2]


def test_full_scale_float_does_not_wrap() -> None:
    waveform = decode_audio(wav(np.array([1.5, 1.0, -1.0, -1.5]), 16_000, "FLOAT"))
    assert waveform.tolist() == [32767, 32767, -32768, -32768]


def test_nan_samples_are_refused() -> None:
    with pytest.raises(UnreadableError, match="NaN"):
        decode_audio(wav(np.array([0.0, np.nan]), 16_000, "FLOAT"))


@pytest.mark.parametrize("rate", [8_000, 16_000])
def test_samples_far_beyond_full_scale_are_refused_and_loud_ones_are_clipped(rate: int) -> None:
    silence = np.zeros((100, 2), dtype=np.float32)
    for huge in (-3.2e9, 1e36, np.float32(3e38)):
        silence[50] = huge
        with pytest.raises(UnreadableError, match=r"its samples reach .* where 1 is full scale"):
            decode_audio(wav(silence, rate, subtype="FLOAT"))
    silence[50] = 30.0
    assert decode_audio(wav(silence, rate, subtype="FLOAT")).max() == 32767


def test_an_empty_sound_file_is_an_empty_waveform() -> None:
    assert len(decode_audio(wav(np.zeros(0, np.int16), 8_000))) == 0


def test_a_colour_image_keeps_its_pixels() -> None:
    pixels = decode_image(picture("RGB"))
    assert pixels.dtype == np.uint8
    np.testing.assert_array_equal(pixels.ravel(), np.arange(48))


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_greyscale_becomes_three_equal_channels(kind: str) -> None:
    pixels = decode_image(picture("L", kind=kind))
    assert pixels.shape == (4, 4, 3)
    assert (pixels == pixels[:, :, :1]).all()
    assert np.ptp(pixels) > 0


@pytest.mark.parametrize("decode", [decode_image, decode_audio])
@pytest.mark.parametrize("data", [b"", b"neither", b"\xff\xd8\xff\xe0 cut", b"RIFF\0\0\0\0WAVE"])
def test_rubbish_is_unreadable(decode: Callable[[bytes], np.ndarray], data: bytes) -> None:
    with pytest.raises(UnreadableError, match="it is not a"):
        decode(data)


@pytest.mark.parametrize("kind", ["<u2", ">u2"])
def test_16_bit_greyscale_keeps_its_range(kind: str) -> None:
    ramp = np.arange(256, dtype=kind).reshape(16, 16) * 257
    buffer = io.BytesIO()
    Image.fromarray(ramp.astype(kind)).save(buffer, format="PNG")
    np.testing.assert_array_equal(decode_image(buffer.getvalue())[:, :, 1].ravel(), range(256))


@pytest.mark.parametrize("orientation", range(10))
def test_a_photograph_is_put_upright_where_that_is_asked_for(orientation: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (4, 6, 3)).astype(np.uint8)
    exif, buffer = Image.Exif(), io.BytesIO()
    exif[ExifTags.Base.Orientation] = orientation
    Image.fromarray(pixels).save(buffer, format="PNG", exif=exif)
    data = buffer.getvalue()
    oracle = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    np.testing.assert_array_equal(decode_image(data, upright=True), np.asarray(oracle))
    np.testing.assert_array_equal(decode_image(data), pixels)


@pytest.mark.parametrize("kind", ["TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", range(10))
def test_other_formats_are_turned_once(kind: str, orientation: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (4, 6, 3)).astype(np.uint8)
    exif, buffer = Image.Exif(), io.BytesIO()
    exif[ExifTags.Base.Orientation] = orientation
    lossless = {"lossless": True} if kind == "WEBP" else {}
    Image.fromarray(pixels).save(buffer, format=kind, exif=exif, **lossless)
    oracle = ImageOps.exif_transpose(Image.open(io.BytesIO(buffer.getvalue())))
    found = read_image(buffer.getvalue(), upright=True, formats=("TIFF", "WEBP"))
    np.testing.assert_array_equal(found.data, np.asarray(oracle))


def test_damaged_exif_says_nothing_about_the_pixels() -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (6, 4)).save(buffer, format="PNG", exif=b"Exif\0\0MM\0\0 no TIFF")
    assert decode_image(buffer.getvalue(), upright=True).shape == (4, 6, 3)


@pytest.mark.parametrize("claimed", [-8, 1, 8, 100, None])
def test_a_wav_is_whole_if_its_samples_are_whatever_its_header_says(claimed: int | None) -> None:
    samples = np.arange(4_000, dtype=np.int16)
    whole = wav(samples, 16_000)
    size = 0xFFFF_FFFF if claimed is None else len(whole) - 8 + claimed
    riff = b"RIFF" + size.to_bytes(4, "little")
    np.testing.assert_array_equal(decode_audio(riff + whole[8:]), samples)
    for cut in (-2, -1_000, 50):
        with pytest.raises(UnreadableError, match="it is not a whole sound file"):
            decode_audio(riff + whole[8:cut])


def test_a_chunk_before_the_samples_is_passed_over_with_its_padding() -> None:
    whole = wav(np.arange(99, dtype=np.int16), 16_000)
    odd = b"LIST" + (5).to_bytes(4, "little") + b"INFOa\0"
    assert len(decode_audio(whole[:12] + odd + whole[12:])) == 99
    with pytest.raises(UnreadableError, match="it is not a whole"):
        decode_audio(whole[:12] + odd + whole[12:-2])


def test_samples_of_unknown_length_are_read_to_their_end() -> None:
    whole = wav(np.arange(99, dtype=np.int16), 16_000)
    start = whole.index(b"data")
    piped = whole[: start + 4] + b"\xff\xff\xff\xff" + whole[start + 8 :]
    assert len(decode_audio(piped)) == 99


def test_a_truncated_image_is_unreadable() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, format="JPEG")
    with pytest.raises(UnreadableError, match="not a whole JPEG"):
        decode_image(buffer.getvalue()[:-500])
