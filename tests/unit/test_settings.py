"""Settings as declared: every one described, the generated files current, mistakes explained."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import pytest
import yaml
from jsonschema import Draft202012Validator

from fedssl.evaluation.settings import Evaluation
from fedssl.grid.configuration import key_text, merged, read_layers
from fedssl.grid.forms import form
from fedssl.grid.mistakes import find_mistakes
from fedssl.schema.reference import (
    PAGES,
    section_names,
    section_rows,
    with_reference,
)
from fedssl.schema.write import schema_texts
from fedssl.settings import Check, Count, Key, Pattern, Share, Unique
from fedssl.typed import typed
from tests.unit.figures import ROOT

SHIPPED = ("config.yaml", "experiments.yaml", "datasets.yaml")


@dataclass(frozen=True)
class Inner:
    """Inner settings."""

    rate: Share
    """A rate."""

    size: Count | None
    """A size."""


@dataclass(frozen=True)
class Outer:
    """Outer settings."""

    two_words: Annotated[Inner, Key("two-words")]
    """Inner settings."""

    mode: Literal["fast", "slow"]
    """A choice."""

    places: Annotated[tuple[int, ...], Unique(), Check(lambda p: p[0] == 1, "a list from 1 on")]
    """Places."""

    name: Annotated[str, Pattern(r"^[a-z]+$", "lower-case letters")] = "x"
    """A name."""

    by_name: Mapping[Annotated[str, Pattern(r"^[a-z]+$", "a word")], float] = field(
        default_factory=dict
    )
    """Numbers by name."""


RIGHT = {"two-words": {"rate": 0.5, "size": None}, "mode": "fast", "places": [1, 2]}


def said(**changes: Any) -> list[str]:
    mistakes = find_mistakes(form(Outer), {**RIGHT, **changes})
    return [f"{key_text(mistake.key)} {mistake.text}" for mistake in mistakes]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({}, []),
        ({"mode": "fats"}, ["mode is 'fats'; it must be 'fast' or 'slow'"]),
        ({"places": [1, 1]}, ["places is [1, 1]; it must be a list without repetitions"]),
        ({"places": [2]}, ["places is [2]; it must be a list from 1 on"]),
        ({"places": 3}, ["places is 3; it must be a list"]),
        ({"places": [1, 2.5]}, ["places[1] is 2.5; it must be a valid integer"]),
        ({"name": "X"}, ["name is 'X'; it must be lower-case letters"]),
        ({"name": "x\n"}, ["name is 'x\\n'; it must be lower-case letters"]),
        ({"by_name": {"A": 1}}, ["by_name has the key 'A'; a key must be a word"]),
        ({"by_name": {"a": float("nan")}}, ["by_name.a is nan; it must be a finite number"]),
        ({"nmae": "x"}, ["nmae is no setting (did you mean name?)"]),
        (
            {"two-words": {"rate": True, "size": "big"}},
            [
                "two-words.rate is True; it must be a valid number",
                "two-words.size is 'big'; it must be a valid integer or null",
            ],
        ),
        (
            {"two-words": {"rate": 2, "size": 0}},
            [
                "two-words.rate is 2; it must be less than or equal to 1",
                "two-words.size is 0; it must be greater than or equal to 1",
            ],
        ),
        ({"two-words": {}}, ["two-words lacks rate, size"]),
    ],
    ids=str,
)
def test_every_mistake_is_a_sentence_with_key_value_and_remedy(
    change: dict[str, Any], says: list[str]
) -> None:
    assert said(**change) == says


@pytest.mark.parametrize(
    ("text", "written"),
    [("1e-3", "0.001"), ("1e-9", "1.0e-09"), ("0,5", "0.5"), ("1E0", "1.0"), ("fast", None)],
)
def test_text_that_was_meant_as_a_number_is_told_with_its_spelling(
    text: str, written: str | None
) -> None:
    (mistake,) = find_mistakes(form(Inner), {"rate": text, "size": None})
    said = f"is {text!r}; it must be a valid number"
    assert mistake.text == (f"{said}, written {written}" if written else said)
    if written:
        assert find_mistakes(form(Inner), yaml.safe_load(f"{{rate: {written}, size: 1}}")) == []


def test_a_count_is_spelled_without_a_point() -> None:
    (mistake,) = find_mistakes(form(Inner), {"rate": 0.5, "size": "1e3"})
    assert mistake.text.endswith(", written 1000")


def test_plain_settings_become_objects_and_nothing_else_changes() -> None:
    found = typed(Outer, {**RIGHT, "of_another_class": 1})
    assert found == Outer(Inner(0.5, None), "fast", (1, 2))
    assert isinstance(typed(Inner, {"rate": 1, "size": 2}).rate, int)
    with pytest.raises(KeyError, match="mode"):
        typed(Outer, {"two-words": {"rate": 0.5, "size": None}, "places": [1]})
    evaluation = yaml.safe_load((ROOT / "config/experiments.yaml").read_text())["evaluation"]
    assert typed(Evaluation, evaluation).linear_probe.milestones == (0.6, 0.8)


def test_the_generated_files_are_current() -> None:
    for name, text in schema_texts().items():
        assert (ROOT / "config/schemas" / name).read_text() == text, "run `make schemas`"
    assert sorted(p.name for p in (ROOT / "config/schemas").iterdir()) == sorted(schema_texts())


def test_the_schema_for_editors_agrees_with_another_implementation() -> None:
    schema = json.loads((ROOT / "config/schemas/config.schema.json").read_text())
    Draft202012Validator.check_schema(schema)
    files = [ROOT / "config" / name for name in SHIPPED]
    for own in ([], [ROOT / "config/demo.yaml"], [ROOT / "config/mini.yaml"]):
        config = merged(read_layers([*files, *own], {}))
        assert list(Draft202012Validator(schema).iter_errors(config)) == []
    config["settings"]["optimiser"]["lrr"] = 1
    assert list(Draft202012Validator(schema).iter_errors(config))


def test_the_reference_has_every_setting_and_says_what_it_is() -> None:
    texts = [page.read_text() for page in PAGES.glob("*.md")]
    assert [with_reference(text) for text in texts] == texts, "run `make schemas`"
    found = re.findall(r"<!-- settings: (\S+) -->", "\n".join(texts))
    assert sorted(found) == sorted(section_names())
    rows = [(name, row) for name in section_names() for row in section_rows(name)]
    assert len(rows) > 200
    assert [(name, row.key) for name, row in rows if len(row.meaning) < 5] == []
