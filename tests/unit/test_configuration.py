"""Layers of configuration, one on top of the other."""

from pathlib import Path
from typing import Any

import pytest

from fedssl.errors import UserError
from fedssl.grid.configuration import Layer, line_of, merged, read_layers
from fedssl.grid.places import with_places

PLACES = {"results_dir": "out", "data_dir": "data", "mirror": None, "pins": "pins.yaml"}


def test_later_layers_win_and_earlier_ones_order_the_keys() -> None:
    layers = [
        Layer("shipped.yaml", {"tables": {"b": {"rows": [1, 2], "title": "B"}, "a": {}}, "n": 1}),
        Layer(
            "mine.yaml", {"new": True, "tables": {"c": {}, "a": {"rows": []}, "b": {"rows": [3]}}}
        ),
        Layer("--config", {"n": None}),
    ]
    found = merged(layers)
    assert found == {
        "tables": {"b": {"rows": [3], "title": "B"}, "a": {"rows": []}, "c": {}},
        "n": None,
        "new": True,
    }
    assert list(found) == ["tables", "n", "new"] and list(found["tables"]) == ["b", "a", "c"]
    assert layers[0].content["tables"] == {"b": {"rows": [1, 2], "title": "B"}, "a": {}}


def test_places_are_expanded_and_spelled_plainly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCRATCH", "/scratch/me")
    monkeypatch.setenv("HOME", "/home/me")
    given = {"results_dir": "$SCRATCH/out/", "data_dir": "~//data", "mirror": "${SCRATCH}/m"}
    found = with_places({**PLACES, **given, "seeds": [0]}, [])
    assert found == {
        "results_dir": "/scratch/me/out",
        "data_dir": "/home/me/data",
        "mirror": "/scratch/me/m",
        "pins": "pins.yaml",
        "seeds": [0],
    }
    assert with_places({**PLACES, "mirror": "https://a.b/c/"}, [])["mirror"] == "https://a.b/c/"
    assert with_places(PLACES, []) == PLACES


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("results_dir", "my results", "'my results'; it must be without white space"),
        ("results_dir", "$NOWHERE/out", "there is no such environment variable"),
        ("mirror", "~nobody-here/m", "there is no such environment variable or user"),
        ("results_dir", "out{v2}", "'out{v2}'; it must be without { }, which have a meaning"),
        ("data_dir", "/a<b>", "it must be without < >, which have a meaning in Snakemake"),
    ],
)
def test_a_place_that_cannot_be_is_refused(key: str, value: str, words: str) -> None:
    config = {**PLACES, key: value}
    with pytest.raises(UserError, match=f"^mine.yaml: {key} is '") as error:
        with_places(config, [Layer("mine.yaml", config)])
    assert words in str(error.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"seeds: [0\n", ["is not YAML", "line 2, column 1", "expected ',' or ']'"]),
        (b"a: 1\n b: 2\n", ["is not YAML", "line 2, column 3"]),
        (b"a: \xff\n", ["is not YAML", "can't decode byte 0xff"]),
        (b"- seeds\n", ["the top level is a list; it must be keys"]),
        (b"[]", ["the top level is a list; it must be keys"]),
        (b"a: 1\nb: &own\n  c: [*own]\n", ["mine.yaml: b.c[0] is an alias of what contains it"]),
        (b"&all\na: *all\n", ["mine.yaml: a is an alias of what contains it (line 1)"]),
        (b"a: 1\nb: 2\na: 3\n", ["mine.yaml: a is given twice, in line 1 and in line 3"]),
        (b"a:\n- {b: {c: 1,\n 'c': 2}}\n", ["a[0].b.c is given twice, in line 2 and in line 3"]),
        (None, ["cannot be read (No such file or directory)"]),
    ],
)
def test_a_file_that_is_no_configuration_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None, words: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    if content is not None:
        Path("mine.yaml").write_bytes(content)
    with pytest.raises(UserError, match=r"^mine\.yaml") as error:
        read_layers(["mine.yaml"], {})
    message = str(error.value)
    assert all(word in message for word in words) and "\n" not in message


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ({"seeds": ["0", "1"]}, {"seeds": [0, 1]}),
        ({"mirror": "null", "data_dir": "null/x"}, {"mirror": None, "data_dir": "null/x"}),
        (
            {"a": {"lr": "1e-3", "on": "True", "no": "no"}},
            {"a": {"lr": 0.001, "on": True, "no": "no"}},
        ),
        ({"a": ["NaN", "1:30", "2026-01-01", "", '"1"', "[1]", "0x1"]},) * 2,
        ({"a": 3, "b": 0.5, "c": False, "d": None},) * 2,
    ],
)
def test_the_command_line_has_the_types_of_a_file(given: Any, meant: Any) -> None:
    assert read_layers([], given)[-1].content == meant


def test_a_file_that_sets_nothing_is_refused_as_by_snakemake(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("# nothing\n")
    with pytest.raises(UserError, match=r"mine\.yaml sets nothing; leave it out of --configfile"):
        read_layers([tmp_path / "mine.yaml"], {})


def test_merged_keys_and_repeated_aliases_are_not_given_twice(tmp_path: Path) -> None:
    text = "base: &b {x: 1, y: 2}\nown: {<<: *b, x: 3}\nother: {<<: *b, x: 4}\nsame: [*b, *b]\n"
    (tmp_path / "mine.yaml").write_text(text)
    found = merged(read_layers([tmp_path / "mine.yaml"], {}))
    assert found["own"] == {"x": 3, "y": 2} and found["same"] == [{"x": 1, "y": 2}] * 2


def test_aliases_of_aliases_do_not_take_for_ever(tmp_path: Path) -> None:
    lines = ["a0: &a0 [1]", *(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 60))]
    (tmp_path / "mine.yaml").write_text("\n".join(lines))
    assert len(read_layers([tmp_path / "mine.yaml"], {})[0].content) == 60


def test_the_line_of_a_key_or_of_its_parent_is_that_of_the_last_layer(tmp_path: Path) -> None:
    for name, text in (("one", "a:\n  b: 1\n  c: [1,\n    2]\n"), ("two", "\na: {b: 2}\n")):
        (tmp_path / f"{name}.yaml").write_text(text)
    layers = read_layers([tmp_path / "one.yaml", tmp_path / "two.yaml"], {"d": 1})
    keys = [("a", "b"), ("a", "c"), ("a", "c", 1), ("a", "c", 7), ("d",), ("x",)]
    assert [line_of(key, layers) for key in keys] == [2, 3, 4, 3, None, None]
