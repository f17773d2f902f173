"""The palette of figures: each colour is visible, has one meaning, and differs from the others."""

from itertools import combinations

import pytest

from fedssl.errors import UserError
from fedssl.paper.palette import (
    TRANSMISSION_COLORS,
    aggregator_style,
    dataset_styles,
    meanings,
    modality_style,
    split_style,
)
from tests.unit.color_vision import VISIONS, contrast_on_white, distance, lab

SPLITS = ["a0-i100-b0", "a100-i0-b0", "a0-i0-b100", "a50-i50-b0", "a33-i33-b34"]
RULES = ["fedavg", "fairavg", "loss", "fedu", "l-dawa", "centralised"]
MODALITIES = {"a": "image", "b": "audio", "c": "image", "d": "audio"}
FAR = 10.0  # delta E; 2 can be seen side by side


@pytest.mark.parametrize("vision", VISIONS)
def test_no_two_meanings_have_colours_that_look_alike(vision: str) -> None:
    pairs = combinations(meanings().items(), 2)
    near = {
        (first, second): found
        for (first, a), (second, b) in pairs
        if (found := distance(a, b, vision=vision)) < FAR
    }
    assert near == {}


def test_every_colour_has_a_contrast_of_three_on_white() -> None:
    mixes = [f"a{a}-i0-b{100 - a}" for a in range(0, 101, 10)]
    mixes += [f"a0-i{i}-b{100 - i}" for i in range(0, 101, 10)]
    colors = [*meanings().values(), *TRANSMISSION_COLORS.values()]
    colors += [split_style(split).color for split in mixes]
    assert {color for color in colors if contrast_on_white(color) < 3} == set()


def test_a_modality_has_one_colour_as_tasks_datasets_and_split() -> None:
    for modality, split in (("image", "a0-i100-b0"), ("audio", "a100-i0-b0")):
        first = dataset_styles({"x": modality})["x"]
        assert modality_style(modality).color == split_style(split).color == first.color


def test_splits_differ_in_colours_dashes_and_markers() -> None:
    styles = [split_style(split) for split in SPLITS]
    for part in ("color", "dashes", "marker"):
        assert len({getattr(style, part) for style in styles}) == len(SPLITS), part


def test_aggregators_differ_in_colours_and_markers_and_their_forms_in_dashes() -> None:
    styles = [aggregator_style(rule, 0) for rule in RULES]
    for part in ("color", "marker"):
        assert len({getattr(style, part) for style in styles}) == len(RULES), part
    forms = [aggregator_style(*form) for form in (("loss", 0), ("loss-bb", 0), ("loss", 1))]
    assert len({form.color for form in forms}) == 1
    assert len({form.dashes for form in forms}) == 3
    assert aggregator_style("median", 0).color == aggregator_style("fedprox", 0).color == "#000000"


def test_what_is_sent_differs_in_lightness_alone() -> None:
    seen = [lab(color, vision="normal") for color in TRANSMISSION_COLORS.values()]
    assert abs(seen[0][0] - seen[1][0]) > 30
    assert all(abs(part[1:]).max() < 1 for part in seen)


def test_datasets_keep_their_look_in_any_order_and_repeat_colours_with_other_marks() -> None:
    styles = dataset_styles(MODALITIES)
    assert dataset_styles(dict(reversed(MODALITIES.items())))["a"] == styles["c"]
    many = dataset_styles({str(i): ("image", "audio")[i % 2] for i in range(8)})
    assert len(set(many.values())) == 8


def test_other_splits_lie_between_the_colours_of_what_they_mix() -> None:
    image, both = (split_style(s).color for s in ("a0-i100-b0", "a0-i0-b100"))
    middle = split_style("a0-i50-b50").color
    for i in (1, 3, 5):
        low, high = sorted((int(image[i : i + 2], 16), int(both[i : i + 2], 16)))
        assert low <= int(middle[i : i + 2], 16) <= high
    assert len({image, both, middle, split_style("a0-i70-b30").color}) == 4


@pytest.mark.parametrize("split", ["a33-i33-b33", "images", "a0-i100-b0-c0"])
def test_a_split_that_does_not_add_up_is_named(split: str) -> None:
    with pytest.raises(UserError, match=f"split '{split}' (is not|sums to)"):
        split_style(split)
