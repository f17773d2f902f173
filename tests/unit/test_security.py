"""SECURITY.md: each promise names a test that exists, and the rest of what it says is so."""

import ast
import pickle
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from fedssl.errors import UserError
from fedssl.federation.checkpoint import load_state
from fedssl.grid.yaml_file import read_yaml
from tests.unit.nasties import Owner

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "SECURITY.md").read_text()
# The first two read and write the pickles of CIFAR-10. The last runs declarations of the package.
ALLOWED = {
    "data/readers/unpickle.py: pickle",
    "data/made_up/containers.py: pickle",
    "grid/parts.py: exec",
}
UNSAFE = {"yaml.load", "yaml.unsafe_load", "torch.load", "os.system", "os.popen"}


def test_every_promise_names_a_test_that_exists() -> None:
    promises = re.findall(
        r"^\| (?!promise|---|package)(.+) \| (`tests/.+`) \|$", PAGE, re.MULTILINE
    )
    assert len(promises) >= 20
    for promise, named in promises:
        for file, test in re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", named):
            text = (ROOT / file).read_text()
            assert re.search(rf"^def {test}\(", text, re.MULTILINE), f"{promise}: {file}::{test}"


def test_direct_dependencies_are_listed_with_their_locked_versions() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    direct = {re.split(r"[<>=]", name)[0] for name in project["dependencies"]}
    locked = dict(re.findall(r"^([a-z0-9-]+)==([^ ;\\]+)", lock(), re.MULTILINE))
    listed = dict(re.findall(r"^\| ([a-z0-9-]+) \| ([0-9.]+) \|", PAGE, re.MULTILINE))
    assert listed == {name: locked[name] for name in direct}
    assert f"pins {len(locked)} packages" in PAGE


def test_no_module_can_run_what_a_file_holds() -> None:
    found = set()
    for path in (ROOT / "src/fedssl").rglob("*.py"):
        name = path.relative_to(ROOT / "src/fedssl").as_posix()
        found |= {f"{name}: {fault}" for fault in unsafe(ast.parse(path.read_text()))}
    assert found == ALLOWED


@pytest.mark.parametrize(
    "code",
    [
        "import pickle",
        "from pickle import loads",
        "yaml.load(text)",
        "torch.load(path)",
        "np.load(path, allow_pickle=True)",
        "subprocess.run(words, shell=True)",
        "eval(text)",
        "os.system(text)",
    ],
)
def test_what_would_run_code_is_noticed(code: str) -> None:
    assert list(unsafe(ast.parse(code)))


def test_a_pickle_in_place_of_a_model_is_not_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(pickle.dumps({"backbone": Owner()}))
    with pytest.raises(Exception, match=r"(?i)header"):
        load_state(tmp_path / "model.safetensors")
    assert not (tmp_path / "owned").exists()


def test_a_yaml_tag_runs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"mine\.yaml is not YAML"):
        read_yaml("rounds: !!python/object/apply:os.mkdir [owned]\n", "mine.yaml")
    assert not (tmp_path / "owned").exists()


def test_archives_come_over_https_or_have_a_published_checksum() -> None:
    datasets = yaml.safe_load((ROOT / "config/datasets.yaml").read_text())["datasets"]
    believed = {
        name
        for name, entry in datasets.items()
        for archive in entry["archives"].values()
        for address in archive.get("urls", ())
        if address.startswith("http:") and archive.get("checksum") is None
    }
    assert believed == {"nsynth"}


def lock() -> str:
    return (ROOT / "requirements.lock").read_text()


def unsafe(tree: ast.AST) -> Iterator[str]:
    """Yield imports of pickle, and calls that evaluate text, use a shell or load objects."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names if name.name in ("pickle", "marshal"))
        elif isinstance(node, ast.ImportFrom) and node.module in ("pickle", "marshal"):
            yield node.module
        elif isinstance(node, ast.Call):
            options = {word.arg: word.value for word in node.keywords}
            for option in ("shell", "allow_pickle"):
                if isinstance(value := options.get(option), ast.Constant) and value.value:
                    yield option
            yield from _unsafe_function(node.func)


def _unsafe_function(function: ast.expr) -> Iterator[str]:
    if isinstance(function, ast.Name) and function.id in ("eval", "exec"):
        yield function.id
    if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name):
        called = f"{function.value.id}.{function.attr}"
        if called in UNSAFE:
            yield called
