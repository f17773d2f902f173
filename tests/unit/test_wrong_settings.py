"""Wrong settings are refused in the plan, in a sentence; odd ones that can work are accepted."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import TypeAdapter

from fedssl.data.own.dataset_entry import with_own_datasets
from fedssl.data.plan import check_datasets
from fedssl.errors import UserError
from fedssl.grid.cells import Grid
from fedssl.grid.configuration import SHIPPED, Key, Layer, key_text, merged, read_layers
from fedssl.grid.forms import form
from fedssl.grid.mistakes import find_mistakes, resolved
from fedssl.grid.paths import ResultPaths
from fedssl.grid.places import with_places
from fedssl.grid.plan import Plan
from fedssl.paper.plan import check_products
from fedssl.schema.config import Config
from fedssl.schema.validate import validate
from tests.unit.figures import ROOT, shipped

# Configuration -> the message about it.
WRONG: dict[str, str] = yaml.safe_load(Path(__file__).with_name("wrong_settings.yaml").read_text())
ODD: list[str] = yaml.safe_load(Path(__file__).with_name("odd_settings.yaml").read_text())
# Any size has a meaning (all clients alike), or the plan compares it.
_UNLIMITED = (
    "evaluation.embedding-map.perplexity",
    "settings.sharding.alpha",
)
_TEXTS = ("1e-3", "many", "", "0,5", "10 %")
# Wrong for every setting that is a number, a text or a choice.
_STRANGE: tuple[Any, ...] = ([], {}, [1], {"a": 1}, float("nan"), float("inf"), -float("inf"))


@pytest.fixture(scope="module")
def demo() -> list[Layer]:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        files = [Path("config", name) for name in (*SHIPPED, "demo.yaml")]
        return read_layers(files, {})[:-1]


def plan(text: str, demo: list[Layer], file: Path) -> None:
    """Do what the Snakefile does with a configuration over that of the demo."""
    file.write_text(text)
    layers = [*demo, *read_layers([file], {})]
    config = merged(layers)
    validate(config, layers)
    config = with_own_datasets(with_places(config, layers), layers)
    made = Plan(Grid(config, layers), ResultPaths(config["results_dir"]), ROOT, layers, shipped=3)
    check_datasets(made)
    check_products(made)


@pytest.mark.parametrize("text", WRONG)
def test_a_wrong_setting_is_refused_in_a_sentence(
    text: str, demo: list[Layer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    file = tmp_path / "mine.yaml"
    with pytest.raises(UserError) as raised:
        plan(text, demo, file)
    said = str(raised.value).replace(os.path.relpath(file), "mine.yaml")
    # An end of ... stands for a list of all parts.
    start = WRONG[text].removesuffix("...")
    assert said.startswith(start) if start != WRONG[text] else said == start


@pytest.mark.parametrize("text", ODD)
def test_an_odd_setting_that_can_work_is_accepted(
    text: str, demo: list[Layer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    plan(text, demo, tmp_path / "mine.yaml")


def _leaves(
    node: Mapping[str, Any], schema: Mapping[str, Any], content: Any, key: Key
) -> Iterator[tuple[Key, Mapping[str, Any]]]:
    """Yield the key and the JSON schema of each setting in the configuration that is no mapping."""
    declared = resolved(node, schema).get("properties")
    if declared is None or not isinstance(content, Mapping):
        yield key, node
        return
    for name in declared.keys() & content.keys():
        yield from _leaves(declared[name], schema, content[name], (*key, name))


def _with(config: Any, key: Key, value: Any) -> Any:
    return {**config, key[0]: _with(config[key[0]], key[1:], value)} if key else value


def test_no_setting_accepts_a_value_of_another_kind(demo: list[Layer]) -> None:
    """Of every declared setting: lists, mappings, nan, inf, and text for numbers."""
    config, schema = merged(demo), TypeAdapter(form(Config)).json_schema()
    mappings = {"studies", "tables", "datasets", "contrasts", "maps", "sweeps"}
    leaves = [item for item in _leaves(schema, schema, config, ()) if item[0][0] not in mappings]
    tried = 0
    for key, node in leaves:
        kind = resolved(node, schema).get("type")
        values = [value for value in _STRANGE if kind != "array" or not isinstance(value, list)]
        values += _TEXTS if kind in ("integer", "number", "boolean", "array") else ()
        values += [-1.0e300, 10**400] if kind in ("integer", "number") else [7]
        # Parts declare limits of their own; those of all other settings are finite.
        limited = key[0] not in ("methods", "aggregators") and key_text(key) not in _UNLIMITED
        if kind in ("integer", "number") and limited:
            values.append(1.0e300)
        for value in values:
            found = find_mistakes(form(Config), _with(config, key, value))
            assert found, f"{key_text(key)} accepts {value!r}"
            assert all(key_text(mistake.key).startswith(key_text(key)) for mistake in found)
            tried += 1
    assert len(leaves) > 100 and tried > 1000


@pytest.mark.parametrize("place", ["results/mine", "mine", "/scratch/mine", "../mine", "sources"])
def test_a_folder_of_its_own_is_accepted(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    given = [*shipped("demo.yaml")[1], Layer("--config", {"results_dir": place})]
    assert with_places(merged(given), given)["results_dir"] == place
