"""Which module of the package imports which, read from the source and not by importing it.

`python -m tests.unit.imports` prints which package imports which.
"""

import ast
from collections.abc import Container, Iterator, Mapping
from functools import cache
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "src"
PACKAGE = "fedssl"
Graph = Mapping[str, set[str]]  # module -> the modules that it imports


@cache
def module_graph(source: Path = SOURCE, *, types: bool = True) -> dict[str, set[str]]:
    """Return the imports of each module of the package, inside functions too.

    Without `types`, those that only a type checker follows are left out.
    """
    files = {_module(path, source): path for path in sorted((source / PACKAGE).rglob("*.py"))}
    return {name: set(_imports(path, set(files), types=types)) for name, path in files.items()}


def package_of(module: str, packages: Container[str]) -> str:
    """Return the first folder below the package; empty for a module at its top level."""
    name = ".".join(module.split(".")[1:2])
    return name if name in packages else ""


def folders(modules: Graph) -> set[str]:
    """Return the folders below the package."""
    return {name.split(".")[1] for name in modules if name.count(".") > 1}


def package_graph(modules: Graph) -> dict[str, set[str]]:
    """Return which package imports which others; the modules at the top level are left out."""
    found: dict[str, set[str]] = {}
    packages = folders(modules)
    for module, imported in modules.items():
        package = package_of(module, packages)
        others = {package_of(name, packages) for name in imported}
        found.setdefault(package, set()).update(others - {package, ""})
    del found[""]
    return found


def picture(packages: Graph) -> str:
    """Return a line per package: what it imports."""
    lines = (f"{name:<12} -> {', '.join(sorted(packages[name])) or '-'}" for name in packages)
    return "\n".join(sorted(lines, key=len))


def _module(path: Path, source: Path) -> str:
    parts = path.relative_to(source).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imports(path: Path, known: set[str], *, types: bool) -> Iterator[str]:
    for node in _nodes(ast.parse(path.read_bytes()), types=types):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom) and node.module in known:
            submodules = {f"{node.module}.{alias.name}" for alias in node.names} & known
            # `from package import module` does not import what the package itself defines.
            yield from submodules or {node.module}


def _nodes(node: ast.AST, *, types: bool) -> Iterator[ast.AST]:
    waiting = [node]
    while waiting:
        node = waiting.pop()
        if types or getattr(getattr(node, "test", None), "id", "") != "TYPE_CHECKING":
            yield node
            waiting += ast.iter_child_nodes(node)


if __name__ == "__main__":
    print(picture(package_graph(module_graph())))
