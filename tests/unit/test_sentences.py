"""Every error of the `fedssl` command and of a job is one sentence; tracebacks are in a log."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from fedssl.command.main import app
from fedssl.data.fetch.pins import read_pins
from fedssl.errors import UserError, describe
from fedssl.grid.complaint import complaint, refusal
from fedssl.grid.configuration import command_line
from fedssl.grid.snakemake_api import given_settings
from tests.unit.figures import ROOT

PIN = f"sha256:{'0' * 64}"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("audit", "{file}"), "is not a folder that you can read"),
        (("audit", "{long}"), "does not exist"),
        (("show", "{file}"), "is not a cell"),
        (("diff", "{file}", "{folder}"), "is not a folder that you can read"),
        (("mirror", "fssuavl", "{file}"), "is a file; name a folder"),
        (("cells", "--configfile", "{folder}"), "is not a file"),
        (("cells", "--configfile", "{long}"), "File name too long"),
        (("cells", "--configfile", "{binary}"), "is not YAML"),
        (("cells", "--config", "seeds"), "it must be key=value"),
        (("cells", "--config", "seeds=[0]", "--config", "seeds=[1]"), "seeds is given twice"),
        (("cells", "--config", "results_dir={file}/x"), "is a file; name a folder"),
        (("cells", "--config", "results_dir=/"), "a run needs a folder of its own"),
    ],
)
def test_a_mistake_of_any_command_is_one_sentence(
    arguments: tuple[str, ...], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    (tmp_path / "file").touch()
    (tmp_path / "binary.yaml").write_bytes(bytes([0, 1, 255, 254]))
    places = {
        "{file}": f"{tmp_path}/file",
        "{folder}": str(tmp_path),
        "{binary}": f"{tmp_path}/binary.yaml",
        "{long}": "x" * 300,
    }
    for name, place in places.items():
        arguments = tuple(word.replace(name, place) for word in arguments)
    result = CliRunner().invoke(app, arguments)
    assert isinstance(result.exception, SystemExit) and result.exit_code in (1, 2), result.output
    assert result.stderr.startswith("fedssl: ") and result.stderr.count("\n") == 1
    assert words in result.stderr


def test_an_unexpected_error_names_the_log_that_has_its_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(*_: object) -> None:
        raise KeyError("image")

    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr("fedssl.command.project.open_project", fails)
    with pytest.raises(SystemExit) as end:
        app(["cells"])
    log = tmp_path / "fedssl/fedssl.log"
    assert end.value.code == 1
    assert capsys.readouterr().err == f"fedssl: KeyError: 'image'; the traceback is in {log}.\n"
    assert "Traceback" in log.read_text() and "raise KeyError" in log.read_text()


# Imports everything first: another user, or a process without memory, may not read the libraries.
_PREPARED = """
import os, resource, sys, typer.rich_utils
from typer.testing import CliRunner
from fedssl.command.main import app
CliRunner().invoke(app, ["audit", "/nowhere"])
{change}
app(sys.argv[1:])
"""


def changed(change: str, *arguments: str, state: Path) -> subprocess.CompletedProcess[str]:
    """Run the command in a process that runs the statement `change` before."""
    return subprocess.run(
        [sys.executable, "-c", _PREPARED.format(change=change), *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT / "src"), "XDG_STATE_HOME": str(state)},
        cwd=ROOT,
        capture_output=True,
        text=True,
    )


def test_too_little_address_space_is_one_sentence(tmp_path: Path) -> None:
    size = "int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize() + 2**20"
    limit = f"resource.setrlimit(resource.RLIMIT_AS, ({size},) * 2)"
    ran = changed(limit, "estimate", "fassl", state=tmp_path)
    assert ran.returncode == 1 and "Traceback" not in ran.stderr, ran.stderr
    assert ran.stderr.startswith("fedssl: ") and f"{tmp_path}/fedssl/fedssl.log" in ran.stderr


def test_an_exception_is_described_in_a_sentence() -> None:
    assert describe(PermissionError(13, "Permission denied", "/x")) == (
        "/x cannot be read or written (Permission denied)"
    )
    assert describe(ValueError("a\n  b")) == "ValueError: a b"
    assert describe(AssertionError()) == "AssertionError"
    assert "memory ran out" in describe(MemoryError())


def test_of_snakemakes_errors_only_the_message_is_left() -> None:
    printed = (
        'Using profile x\nWorkflowError in file "/a/common.smk", line 84:\nthere is no target\n'
        '  File "/a/common.smk", line 84, in <module>\n'
    )
    assert complaint(printed) == "there is no target"
    assert complaint("some\nwords") == "some words"
    assert refusal("Using profile x\nfedssl: there is\nno target\n") == "there is no target"
    assert refusal("MissingInputException: x") == "Snakemake cannot plan the jobs: x"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f"a/x.zip: {PIN}\nb/y.zip: {PIN}\na/x.zip: {PIN}\n", "in line 1 and in line 3"),
        ("a/x.zip: sha256:12\n", "a/x.zip is 'sha256:12'; a line must be"),
        ("a/x.zip: .nan\n", "a/x.zip is nan; a line must be"),
        ("a/x.zip: 1e-3\n", "a/x.zip is '1e-3'; a line must be"),
        ("- a\n", "has ['a']; a line must be"),
        ("a: [\n", "is not YAML"),
    ],
)
def test_a_wrong_file_of_pins_is_named_with_the_line(tmp_path: Path, text: str, words: str) -> None:
    pins = tmp_path / "pins.yaml"
    pins.write_text(text)
    with pytest.raises(UserError, match=r"pins\.yaml") as raised:
        read_pins(pins)
    assert words in str(raised.value) and "\n" not in str(raised.value)
    pins.write_text("\ufeff# nothing\r\n")
    assert read_pins(pins) == {}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["a=1", "b=2", "a=3"], "--config: a is given twice"),
        (["a={b: 1, b: 2}"], "--config a: b is given twice"),
        (["=1"], "--config is '=1'; it must be key=value"),
        (["a=[1"], "--config a is not YAML"),
    ],
)
def test_a_setting_given_twice_on_the_command_line_is_refused(given: list[str], words: str) -> None:
    with pytest.raises(UserError) as raised:
        command_line(given)
    assert words in str(raised.value)


def test_an_option_that_snakemake_would_ignore_is_refused() -> None:
    words = ["snakemake", "-n", "x", "--config", "a=1", "b=2"]
    assert given_settings(words) == ["a=1", "b=2"]
    assert given_settings(["python", *words[1:]]) == []
    for option in ("--config", "-C"):
        with pytest.raises(UserError, match="--config is given twice"):
            given_settings([*words, option, "c=3"])
    with pytest.raises(UserError, match="--configfile is given twice"):
        given_settings(["snakemake", "--configfile", "a.yaml", "--configfile=b.yaml"])
    assert given_settings([*words, "--", "--config"]) == ["a=1", "b=2"]


def test_a_command_without_standard_output_prints_nowhere(tmp_path: Path) -> None:
    program = Path(sys.executable).with_name("fedssl")
    for closed in (">&-", "2>&-", ">&- 2>&-"):
        ran = subprocess.run(f"{program} cells {closed}", shell=True, cwd=ROOT, check=False)
        assert ran.returncode == 0
