"""Settings that fit their types and would fail in a job, or do harm: refused in the plan."""

from pathlib import Path
from typing import Any

import pytest

from fedssl.errors import UserError
from fedssl.grid.cells import Grid
from fedssl.grid.configuration import Layer, merged, with_places
from fedssl.schema.validate import validate
from tests.unit.figures import shipped

AUGMENTATION = "settings.augmentation"
FAULTS = "settings.federation.faults"
WRONG = [
    ("settings.threads", 1_000_000, "less than or equal to 1024"),
    ("evaluation.threads", 1_000_000, "less than or equal to 1024"),
    ("banks.threads", 1_000_000, "less than or equal to 1024"),
    (f"{AUGMENTATION}.image.crop_scale", [1.0, 0.2], "the lower one first"),
    (f"{AUGMENTATION}.image.crop_scale", [0.0, 1.0], "greater than 0"),
    (f"{AUGMENTATION}.image.crop_scale", [0.2, 5.0], "less than or equal to 1"),
    (f"{AUGMENTATION}.image.blur_sigma", [2.0, 0.1], "the lower one first"),
    (f"{AUGMENTATION}.audio.frequency_crop", [1.0, 0.8], "the lower one first"),
    (f"{AUGMENTATION}.audio.time_crop", [1.0, 0.6], "the lower one first"),
    ("settings.audio.n_fft", 256, "less than the window of 400 samples"),
    ("settings.audio.mels", 1000, "has 257 frequencies"),
    ("settings.audio.crop_seconds", 0.001, "which is 16 samples; a crop must cover the window"),
    ("settings.image.size", 1, "greater than or equal to 8"),
    ("settings.audio.size", 1, "greater than or equal to 8"),
    ("settings.optimiser.lr", 1e300, "less than or equal to 1000"),
    ("settings.optimiser.momentum", 1.0, "less than 1"),
    ("settings.federation.clients", 10**8, "tiny-imagenet has 1200 training samples"),
    ("settings.federation.clipping_norm", 0.0, "greater than 0"),
    (f"{FAULTS}.dropout", 1.0, "less than 1"),
    (f"{FAULTS}.deadline", 0, "greater than 0"),
    (f"{FAULTS}.attack", "backdoor", "sign-flip"),
    (f"{FAULTS}.malicious", 1.5, "less than or equal to 1"),
    (FAULTS, {"speed_sigma": 0.5}, "speed_sigma 0.5 and no deadline"),
    (FAULTS, {"malicious": 0.25}, "malicious 0.25 and no attack"),
    (FAULTS, {"attack": "scaling"}, "the attack scaling and nobody malicious"),
    (FAULTS, {"attack": "scaling", "malicious": 0.1}, "malicious 0.1, less than one of 4 clients"),
    ("aggregators.trimmed-mean.beta", 0.5, "less than 0.5"),
    ("settings.sharding.min_samples", 10**9, "for 4 clients; use at most 300"),
    ("evaluation.retrieval.ks", [1, 10**6], "has 1200 samples to retrieve from"),
    ("evaluation.embedding-map.perplexity", 1000, "smaller than the 60 samples"),
    ("evaluation.linear-probe.lr", 1e300, "less than or equal to 1000"),
    ("evaluation.fine-tune.lr", 1e300, "less than or equal to 1000"),
    ("evaluation.linear-probe.momentum", 1.0, "less than 1"),
    ("evaluation.linear-probe.milestones", [0.8, 0.6], "a list of increasing shares"),
    ("evaluation.fine-tune.milestones", [0.6, 0.6], "a list of increasing shares"),
    ("datasets.fsdd.splits", {"train": 8, "test": 80}, "8 samples in train for 10 classes"),
]


@pytest.fixture(scope="module")
def layers() -> list[Layer]:
    return shipped("demo.yaml")[1]


@pytest.mark.parametrize(("key", "value", "said"), WRONG)
def test_a_setting_that_cannot_work_is_refused_with_its_key(
    layers: list[Layer], key: str, value: Any, said: str
) -> None:
    content: dict[str, Any] = {}
    inner = content
    *path, last = key.split(".")
    for name in path:
        inner = inner.setdefault(name, {})
    inner[last] = value
    given = [*layers, Layer("mine.yaml", content)]
    config = merged(given)
    with pytest.raises(UserError) as raised:
        validate(config, given)
        Grid(config, given)
    assert said in str(raised.value)
    if not key.startswith("datasets"):
        assert f"mine.yaml: {key}" in str(raised.value)


@pytest.mark.parametrize("key", ["results_dir", "data_dir"])
@pytest.mark.parametrize("place", ["/", ".", "src", "config/mine", "./workflow", ".git"])
def test_a_run_writes_to_a_folder_of_its_own(layers: list[Layer], key: str, place: str) -> None:
    given = [*layers, Layer("--config", {key: place})]
    with pytest.raises(UserError, match=rf"--config: {key} is .*such as results/mine"):
        with_places(merged(given), given)


@pytest.mark.parametrize("place", ["results/mine", "mine", "/scratch/mine", "../mine", "sources"])
def test_other_folders_are_accepted(layers: list[Layer], place: str) -> None:
    given = [*layers, Layer("--config", {"results_dir": place})]
    assert with_places(merged(given), given)["results_dir"] == str(Path(place))
