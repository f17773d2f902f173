"""`fedssl audit`: check the files and numbers of a results folder against its records."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fedssl.command.output import Json, print_json, print_line, print_table, working
from fedssl.errors import UserError

if TYPE_CHECKING:
    from fedssl.audit.audit import Audit
    from fedssl.audit.units import Unit

_STYLES = {"tampered": "bold red", "incomplete": "red", "changed data": "yellow"}
_SHOWN = 8  # findings per unit in the text; --json lists all


def audit(
    results: Annotated[Path, typer.Argument(help="A results folder, such as results/paper.")],
    seal: Annotated[
        str | None,
        typer.Option(metavar="SHA256", help="The published seal to compare the results with."),
    ] = None,
    json: Json = False,
) -> None:
    """Check all hashes and numbers in a results folder, without running a job.

    The exit code is 0 if everything is sound or differs only in code that was
    edited after the run, and 1 otherwise.
    """
    from fedssl.audit.audit import audit as run

    known = None if seal is None else _seal(seal)
    with working(f"comparing the files and numbers in {results} with their records"):
        result = run(results, seal=known)
    if json:
        print_json(result.as_data())
    else:
        _print(result)
    raise typer.Exit(0 if result.passed else 1)


def _seal(text: str) -> str:
    """Return a seal in lower case.

    Raises:
        UserError: The text is not a SHA-256.
    """
    seal = text.strip().lower()
    if not re.fullmatch("[0-9a-f]{64}", seal):
        raise UserError(f"--seal is {text!r}; it must be the 64 hexadecimal digits of a SHA-256.")
    return seal


def _print(result: "Audit") -> None:
    verdicts = [str(verdict) for verdict in _verdicts()]
    counts = result.counts()
    rows = [(kind, *(counts[kind].get(v, "") for v in verdicts)) for kind in counts]
    print_table(["", *verdicts], rows)
    for unit in result.units:
        if unit.findings:
            _print_findings(unit)
    _print_inherited(result.units)
    _print_notes(result.units)
    print_line()
    print_line(f"seal {result.seal}")
    if number := len(result.not_verified):
        files = "file is" if number == 1 else "files are"
        print_line(f"{number} {files} absent and not verified, see the notes")
    print_line("passed" if result.passed else "NOT passed", style="bold")


def _verdicts() -> Iterable[str]:
    from fedssl.audit.findings import Verdict

    return Verdict


def _print_findings(unit: "Unit") -> None:
    from fedssl.audit.findings import worst

    own = worst([finding.verdict for finding in unit.findings])
    print_line()
    print_line(f"{own}: {unit.kind}/{unit.name}", style=_STYLES.get(own, ""))
    for finding in unit.findings[:_SHOWN]:
        print_line(f"{finding.file} {finding.what}", indent=2)
    if (further := len(unit.findings) - _SHOWN) > 0:
        print_line(f"and {further} more; --json lists all", indent=2)


def _print_inherited(units: Iterable["Unit"]) -> None:
    resting = [unit for unit in units if unit.rests_on]
    if resting:
        print_line()
        print_line("These depend on the above and have the same verdict:")
    for unit in resting:
        print_line(f"{unit.kind}/{unit.name}: {unit.verdict}", indent=2)


def _print_notes(units: Iterable["Unit"]) -> None:
    notes = dict.fromkeys(f"{note.file} {note.what}" for unit in units for note in unit.notes)
    if notes:
        print_line()
        print_line("Notes:")
    for note in notes:
        print_line(note, indent=2)
