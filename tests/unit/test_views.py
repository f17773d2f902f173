"""Views: spatial maps compared with torchvision, laws of randomness, and log-mel images."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image, ImageFilter
from torchaudio.transforms import MelSpectrogram
from torchvision.transforms.v2 import functional as tv

from fedssl.data.banks.rows import MemoryRows
from fedssl.randomness import stream
from fedssl.views import audio as audio_views
from fedssl.views import image as image_views
from fedssl.views import settings
from fedssl.views.resample import apply_matrices, blur_matrix, crop_matrix

IMAGE = settings.Image(32, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
STILL = settings.ImageAugmentation(
    crop_scale=(1.0, 1.0),
    jitter=(0.0, 0.0, 0.0, 0.0),
    jitter_probability=1.0,
    grey_probability=0.0,
    blur_sigma=(0.1, 2.0),
    blur_probability=0.0,
)
AUGMENTED = settings.ImageAugmentation(
    crop_scale=(0.2, 1.0),
    jitter=(0.4, 0.4, 0.4, 0.1),
    jitter_probability=0.8,
    grey_probability=0.2,
    blur_sigma=(0.1, 2.0),
    blur_probability=0.5,
)
AUDIO = settings.Audio(
    sample_rate=16000,
    crop_seconds=0.5,
    n_fft=512,
    window=400,
    hop=160,
    mels=40,
    log_floor=1e-6,
    normalisation="dataset",
    size=24,
    statistics_clips=64,
)


def pictures(batch: int, height: int, width: int) -> torch.Tensor:
    rng = stream(7, "test pictures")
    return torch.from_numpy(rng.integers(0, 256, (batch, height, width, 3), dtype=np.uint8))


@pytest.mark.parametrize(
    ("top", "left", "high", "wide", "size"),
    [(0, 0, 20, 24, 32), (3, 5, 11, 7, 32), (2, 1, 17, 19, 8), (0, 0, 20, 24, 20)],
)
def test_crop_matrix_is_torchvisions_antialiased_resized_crop(
    top: int, left: int, high: int, wide: int, size: int
) -> None:
    picture = pictures(1, 20, 24).float()
    rows = crop_matrix(torch.tensor([top]), torch.tensor([high]), in_size=20, out_size=size)
    columns = crop_matrix(torch.tensor([left]), torch.tensor([wide]), in_size=24, out_size=size)
    ours = apply_matrices(picture, rows, columns)
    theirs = tv.resized_crop(
        picture.permute(0, 3, 1, 2), top, left, high, wide, [size, size], antialias=True
    )
    torch.testing.assert_close(ours, theirs, rtol=0, atol=2e-2)


def test_blur_matrix_is_a_gaussian_away_from_the_border() -> None:
    picture = pictures(1, 32, 32)
    blur = blur_matrix(torch.tensor([1.5]), size=32)
    ours = apply_matrices(picture.float(), blur, blur)[0].permute(1, 2, 0)
    theirs = Image.fromarray(picture[0].numpy()).filter(ImageFilter.GaussianBlur(1.5))
    difference = (ours - torch.from_numpy(np.array(theirs)).float())[6:-6, 6:-6].abs()
    assert difference.mean() < 2.0, "PIL approximates the Gaussian by boxes: a few grey levels"
    exact = tv.gaussian_blur(picture.permute(0, 3, 1, 2).float(), [13, 13], [1.5, 1.5])[0]
    torch.testing.assert_close(
        ours.permute(2, 0, 1)[:, 7:-7, 7:-7], exact[:, 7:-7, 7:-7], rtol=0, atol=0.1
    )


def test_blur_of_zero_changes_nothing() -> None:
    torch.testing.assert_close(blur_matrix(torch.zeros(1), size=9)[0], torch.eye(9))


@pytest.mark.parametrize(
    ("jitter", "reference"),
    [
        ([0.4, 0.0, 0.0, 0.0], tv.adjust_brightness),
        ([0.0, 0.4, 0.0, 0.0], tv.adjust_contrast),
        ([0.0, 0.0, 0.4, 0.0], tv.adjust_saturation),
    ],
)
def test_a_jitter_step_is_torchvisions(jitter: list[float], reference: object) -> None:
    picture = pictures(6, 32, 32)
    augmentation = replace(STILL, jitter=jitter)
    rng = stream(1, "jitter")
    ours = image_views.augmented_view(picture, rng, image=IMAGE, augmentation=augmentation)
    plain = picture.permute(0, 3, 1, 2).float() / 255
    candidates = np.linspace(0.6, 1.4, 801)
    for view, original in zip(ours, plain, strict=True):
        pixels = view * torch.tensor(IMAGE.std).view(3, 1, 1)
        pixels = pixels + torch.tensor(IMAGE.mean).view(3, 1, 1)
        both = (original, original.flip(2))
        errors = [
            float((reference(side, float(f)).clamp(0, 1) - pixels).abs().mean())  # type: ignore[operator]
            for side in both
            for f in candidates[::8]
        ]
        assert min(errors) < 0.005, "no factor in range explains the view"
        assert np.median(errors) > 0.01, "the test would pass for any view"


def test_hue_keeps_grey_and_turns_colours() -> None:
    grey = torch.full((4, 32, 32, 3), 128, dtype=torch.uint8)
    augmentation = replace(STILL, jitter=(0.0, 0.0, 0.0, 0.5))
    view = image_views.augmented_view(
        grey, stream(0, "hue"), image=IMAGE, augmentation=augmentation
    )
    torch.testing.assert_close(view, image_views.plain_view(grey, image=IMAGE), rtol=0, atol=2e-3)
    red = grey.clone()
    red[..., 1:] = 0
    turned = image_views.augmented_view(
        red, stream(0, "hue"), image=IMAGE, augmentation=augmentation
    )
    assert (turned - image_views.plain_view(red, image=IMAGE)).abs().max() > 0.5


def test_without_augmentation_a_view_is_the_plain_one_or_its_mirror() -> None:
    picture = pictures(16, 40, 24)
    view = image_views.augmented_view(picture, stream(0, "still"), image=IMAGE, augmentation=STILL)
    plain = image_views.plain_view(picture, image=IMAGE)
    # A crop of the whole area has a random aspect ratio, so only square pictures stay whole.
    assert view.shape == plain.shape == (16, 3, 32, 32)
    square = pictures(16, 24, 24)
    whole = image_views.augmented_view(
        square, stream(0, "still"), image=IMAGE, augmentation=replace(STILL, crop_scale=(1.0, 1.0))
    )
    plain = image_views.plain_view(square, image=IMAGE)
    kept = [(v - p).abs().max() < 1e-4 for v, p in zip(whole, plain, strict=True)]
    mirrored = [(v - p.flip(2)).abs().max() < 1e-4 for v, p in zip(whole, plain, strict=True)]
    assert any(kept) and any(mirrored)


def test_each_sample_has_its_own_draw_and_a_stream_repeats_it() -> None:
    same = pictures(1, 32, 32).expand(8, -1, -1, -1)
    first = image_views.augmented_view(same, stream(3, "a"), image=IMAGE, augmentation=AUGMENTED)
    again = image_views.augmented_view(same, stream(3, "a"), image=IMAGE, augmentation=AUGMENTED)
    other = image_views.augmented_view(same, stream(3, "b"), image=IMAGE, augmentation=AUGMENTED)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert len(torch.unique(first.flatten(1), dim=0)) == 8


def test_greyscale_pictures_become_three_equal_channels() -> None:
    grey = pictures(2, 28, 28)[..., :1]
    view = image_views.plain_view(grey, image=replace(IMAGE, mean=(0.5,) * 3, std=(0.2,) * 3))
    assert torch.equal(view[:, 0], view[:, 1]) and torch.equal(view[:, 1], view[:, 2])


def spans(*lengths: int) -> np.ndarray:
    stops = np.cumsum(lengths)
    return np.stack([stops - np.array(lengths), stops], axis=1)


def test_a_short_clip_is_whole_somewhere_in_the_frame_and_centred_for_evaluation() -> None:
    waveforms = np.arange(1, 101, dtype=np.int16)
    places = set()
    for draw in range(30):
        rng = stream(draw, "place")
        frame = audio_views.crop(spans(100), length=120, rng=rng).read(MemoryRows(waveforms))[0]
        start = int(np.flatnonzero(frame)[0])
        assert (frame[start : start + 100] == waveforms).all() and np.count_nonzero(frame) == 100
        places.add(start)
    assert len(places) > 10 and min(places) >= 0 and max(places) <= 20
    centred = audio_views.crop(spans(100), length=120, rng=None).read(MemoryRows(waveforms))[0]
    assert int(np.flatnonzero(centred)[0]) == 10


def test_a_long_clip_is_cut_inside_itself() -> None:
    waveforms = np.arange(300, dtype=np.int16)
    for draw in range(30):
        rng = stream(draw, "cut")
        frames = audio_views.crop(spans(100, 200), length=50, rng=rng).read(MemoryRows(waveforms))
        assert 0 <= frames[0][0] <= 50 and 100 <= frames[1][0] <= 250
        assert (np.diff(frames, axis=1) == 1).all()
    centred = audio_views.crop(spans(100, 200), length=50, rng=None).read(MemoryRows(waveforms))
    assert centred[:, 0].tolist() == [25, 175]


def test_an_empty_clip_is_silence_and_silence_is_the_floor() -> None:
    nothing = MemoryRows(np.zeros(0, np.int16))
    frames = audio_views.crop(spans(0), length=8000, rng=None).read(nothing)
    mel = audio_views.log_mel(torch.from_numpy(frames), audio=AUDIO)
    torch.testing.assert_close(mel, torch.full_like(mel, float(np.log(1e-6))))


@pytest.mark.parametrize(("n_fft", "window", "hop"), [(512, 400, 160), (2048, 320, 160)])
def test_log_mel_is_torchaudios(n_fft: int, window: int, hop: int) -> None:
    audio = replace(AUDIO, n_fft=n_fft, window=window, hop=hop)
    theirs = MelSpectrogram(
        16000, n_fft, window, hop, n_mels=40, power=1.0, pad_mode="constant", mel_scale="htk"
    )
    frames = torch.from_numpy(
        stream(0, "signal").integers(-20000, 20000, (5, 8000)).astype(np.int16)
    )
    expected = (theirs(frames / 32768.0) + 1e-6).log()
    torch.testing.assert_close(
        audio_views.log_mel(frames, audio=audio), expected, rtol=1e-4, atol=1e-4
    )


def test_log_mel_does_not_depend_on_the_chunking_and_peaks_at_the_tone() -> None:
    time = np.arange(8000) / 16000
    tones = [np.sin(2 * np.pi * hertz * time) * 9000 for hertz in np.linspace(200, 7000, 40)]
    frames = torch.from_numpy(np.array(tones).astype(np.int16))
    together = audio_views.log_mel(frames, audio=AUDIO)
    one_by_one = torch.cat([audio_views.log_mel(f[None], audio=AUDIO) for f in frames])
    torch.testing.assert_close(together, one_by_one, rtol=1e-4, atol=1e-4)
    peaks = together.mean(dim=2).argmax(dim=1)
    assert (peaks.diff() >= 0).all() and peaks[0] < 8 and peaks[-1] > 35


def test_audio_masks_and_noise_are_per_sample() -> None:
    frames = torch.from_numpy(stream(0, "noise").integers(-999, 999, (4, 8000)).astype(np.int16))
    frames = frames[:1].expand(4, -1)
    augmentation = settings.AudioAugmentation(
        frequency_crop=(1.0, 1.0),
        time_crop=(1.0, 1.0),
        frequency_mask=0.5,
        time_mask=0.0,
        noise=0.0,
    )
    view = audio_views.augmented_view(
        frames,
        stream(5, "mask"),
        audio=AUDIO,
        statistics={"mean": -3.0, "std": 2.0},
        augmentation=augmentation,
    )
    assert view.shape == (4, 3, 24, 24)
    plain = audio_views.plain_view(frames, audio=AUDIO, statistics={"mean": -3.0, "std": 2.0})
    hidden = (view[:, 0] == 0).all(dim=2)
    assert 0 < hidden.sum() < hidden.numel() / 2
    shown = ~hidden[:, None, :, None].expand_as(view)
    torch.testing.assert_close(view[shown], plain[shown])
    assert len({tuple(row.tolist()) for row in hidden}) > 1


def test_a_spectrogram_normalised_alone_does_not_know_how_loud_it_was() -> None:
    alone = replace(AUDIO, normalisation="sample", size=40, log_floor=1e-12)
    quiet = torch.from_numpy(stream(0, "hiss").integers(-4000, 4000, (3, 8000)).astype(np.int16))
    views = [
        audio_views.plain_view(frames, audio=alone, statistics={"mean": mean, "std": 2.0})
        for frames, mean in ((quiet, -3.0), (quiet * 4, -9.0))
    ]
    torch.testing.assert_close(*views, rtol=1e-3, atol=1e-3)
    frames = torch.stack([quiet[0], torch.zeros_like(quiet[0])])
    view = audio_views.plain_view(frames, audio=replace(alone, hop=205), statistics={})
    torch.testing.assert_close(view[0].std(correction=0), torch.tensor(1.0), rtol=1e-3, atol=1e-3)
    assert view[0].mean().abs() < 1e-4 and (view[1] == 0).all()
