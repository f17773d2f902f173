"""Digests of the code that a job runs, so that an edit reruns exactly the jobs that it can change.

The modules of a job are its script, all modules that the script imports directly or indirectly,
and the modules that its wildcards name (an aggregator, a reader). The digest of a module is
computed from its syntax tree without docstrings, so that comments, docstrings and formatting do
not change it.
"""

import ast
import atexit
import hashlib
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple

from fedssl.files import bytes_digest
from fedssl.record.parsed import ParsedSources

PACKAGE = Path(__file__).parents[1]
# How old the check of a file's modification time may be.
RECHECK_SECONDS = 1.0
# The workflow's files in the root of a checkout.
WORKFLOW_FOLDERS = ("config", "envs", "profiles", "slurm", "src/fedssl", "workflow")
WORKFLOW_FILES = ("CITATION.cff", "LICENSE", "Snakefile", "pyproject.toml", "requirements.lock")
# These modules observe a job or reject its inputs, and cannot change what it computes.
_OBSERVERS = frozenset({"fedssl.progress", "fedssl.data.fetch.verify", "fedssl.lease"})
_OBSERVERS |= {f"fedssl.record.{name}" for name in ("inputs", "job", "parsed", "sources", "write")}
# Modules called `settings` declare names, ranges and descriptions, but no values.
_DECLARATIONS = "settings"


def source_digests(script: str | Path, *modules: str) -> dict[str, str]:
    """Return {name: digest} of a script, the named modules and all modules that they import."""
    # Thousands of jobs share a few dozen sets of sources. A call for a known set only asks for the
    # modification times of its files, so that an edit during a run is still noticed. Asking once a
    # second is enough: a job that started with an older digest would only run once more.
    key = (str(script), *modules)
    known = _KNOWN.get(key)
    if known is None or (time.monotonic() > known.checked + RECHECK_SECONDS and known.changed()):
        known = _KNOWN[key] = _sources(Path(script), *modules)
    return dict(known.digests)


@dataclass
class _Sources:
    """The digests of a set of sources, and the file and modification time of each."""

    digests: dict[str, str]
    files: dict[Path, int]
    checked: float

    def changed(self) -> bool:
        """Return whether a file was modified."""
        self.checked = time.monotonic()
        return any(os.stat(path).st_mtime_ns != mtime for path, mtime in self.files.items())


_KNOWN: dict[tuple[str, ...], _Sources] = {}


def _sources(script: Path, *modules: str) -> _Sources:
    names = reachable(script, *modules)
    paths = {script.name: script, **{name: module_path(name) for name in names}}
    times = {path: path.stat().st_mtime_ns for path in paths.values()}
    digests = {name: _module(path, times[path]).digest for name, path in paths.items()}
    return _Sources(digests, times, checked=time.monotonic())


def reachable(script: Path, *modules: str) -> list[str]:
    """Return the sorted names of all package modules that a script and named modules import."""
    waiting = [*_imports(script), *modules]
    found: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in found or name in _OBSERVERS or name.endswith(f".{_DECLARATIONS}"):
            continue
        found.add(name)
        waiting += _imports(module_path(name))
    return sorted(found)


@cache
def module_path(name: str) -> Path:
    """Return the file of a module of the package.

    Raises:
        FileNotFoundError: There is no such module.
    """
    base = PACKAGE.joinpath(*name.split(".")[1:])
    for path in (base.with_suffix(".py"), base / "__init__.py"):
        if path.is_file():
            return path
    raise FileNotFoundError(f"the package has no module {name}: {base}.py does not exist")


class _Module(NamedTuple):
    """The digest of a source file, and the package modules that it imports."""

    imports: tuple[str, ...]
    digest: str


@cache
def _module(path: Path, _mtime: int) -> _Module:
    # The modification time is an argument so that the cache misses after an edit.
    content = path.read_bytes()
    key = bytes_digest(content)
    entry = _PARSED.get(key)
    if entry is None:
        tree = ast.parse(content)
        entry = [*_named(tree), _tree_digest(tree)]
        _PARSED.add(key, entry)
    modules, names, digest = entry
    named = [*modules, *filter(is_module, names)]
    # A parent package counts because importing a module runs its `__init__.py`.
    parents = {name.rsplit(".", depth)[0] for name in named for depth in range(name.count(".") + 1)}
    return _Module(tuple(sorted(parents)), digest)


_PARSED = ParsedSources(Path(__file__))
atexit.register(_PARSED.save)


def _imports(path: Path) -> tuple[str, ...]:
    """Return the package modules that a file imports, also inside functions, and their parents."""
    return _module(path, path.stat().st_mtime_ns).imports


def _named(tree: ast.AST) -> tuple[list[str], list[str]]:
    """Return imported modules, and imported names that are modules or members of one."""
    modules: set[str] = set()
    names: set[str] = set()
    for node in _executed(tree):
        if isinstance(node, ast.Import):
            modules.update(alias.name for alias in node.names if _is_ours(alias.name))
        elif isinstance(node, ast.ImportFrom) and node.module and _is_ours(node.module):
            modules.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and getattr(node.func, "id", "") == "import_module":
            literal = node.args[0]
            if isinstance(literal, ast.Constant) and _is_ours(str(literal.value)):
                modules.add(str(literal.value))
    return sorted(modules), sorted(names)


def _executed(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes below a node, without blocks for type checkers."""
    waiting = [tree]
    while waiting:
        for child in ast.iter_child_nodes(waiting.pop()):
            if not (isinstance(child, ast.If) and _is_type_checking(child.test)):
                yield child
                waiting.append(child)


def _is_type_checking(test: ast.expr) -> bool:
    return isinstance(test, ast.Name) and test.id == "TYPE_CHECKING"


def _is_ours(name: str) -> bool:
    return name == PACKAGE.name or name.startswith(f"{PACKAGE.name}.")


def is_module(name: str) -> bool:
    """Return whether the package has a module with this name."""
    try:
        module_path(name)
    except FileNotFoundError:
        return False
    return True


def code_digest(path: Path) -> str:
    """Return the digest of a source file's syntax tree without docstrings.

    Raises:
        SyntaxError: The file is not valid Python.
    """
    # Records and the audit state what a file holds now, so they do not read what was kept.
    return _digest(path, path.stat().st_mtime_ns)


@cache
def _digest(path: Path, _mtime: int) -> str:
    return _tree_digest(ast.parse(path.read_bytes()))


def _tree_digest(tree: ast.Module) -> str:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            node.body = [part for part in node.body if not _is_docstring(part)] or [ast.Pass()]
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest()[:16]


def _is_docstring(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )
