"""The pages about the results: no seal can cover what quotes it, so they are made again."""

import base64
import contextlib
import gzip
import re
import shlex
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from fedssl.audit.chain import Chain, passed_on_seldom
from fedssl.audit.findings import Finding, Note, Verdict
from fedssl.audit.recompute import DIFFERS, blame, text_of
from fedssl.paper.certificate import write_certificate
from fedssl.paper.page.write import write_page
from fedssl.record.read import Record, at_hand, is_ours, resembles_ours, shown
from fedssl.record.seal import ABOUT, is_sealed

_OPEN = "is not under the seal"
# Below the results; anything else would be out of the seal's reach only by a forged record.
_FILES = {
    "audit": "audit.json",
    "certificate": "certificate.md",
    "crate": "ro-crate-metadata.json",
    "report_page": "report/index.html",
}
_RUNS = (["snakemake", "--profile", "slurm"], ["snakemake", "--cores", "all"])
_OPTIONS = {"--configfile", "--config"}
_DECLARED = ("scale", "scale_note")
_PACKED = re.compile(r'(?<=id="data">)[A-Za-z0-9+/=]+')  # by fedssl.paper.page.write


def page_findings(record: Record, chain: Chain) -> Iterator[Finding | Note]:
    """Yield what is wrong with a file about the results, or a note where nothing can tell.

    Changes the working directory meanwhile: the pages quote paths as their jobs knew them.
    """
    if record.rule not in ABOUT or record.outside:
        return
    name = _FILES[record.rule]
    for path in record.files("outputs"):
        place = shown(path, chain.root)
        if place != name and not (record.rule == "crate" and place.startswith("code/")):
            yield Finding(Verdict.TAMPERED, place, f"is no file that {record.rule} writes")
    if record.rule not in _PAGES:
        yield Note(name, f"{_OPEN}, and held against its own record only")
    elif hindrance := _hindrance(record, chain):
        verdict, what = hindrance
        yield Finding(verdict, name, f"{_OPEN}, and was not made again: {what}")
    elif at_hand(chain.root / name):
        yield from _made_again(record, chain, chain.root / name)


def _hindrance(record: Record, chain: Chain) -> tuple[Verdict, str] | None:
    """Return why a page cannot come out again, and how bad that is: it is never sound.

    The page's own record is under no seal, so that an excuse only it has is a forgery.
    """
    prefix = Path(record.prefix or "")
    here = prefix.is_absolute() and prefix.resolve() == chain.root
    if not here and all(other.prefix != record.prefix for other in _sealed(chain)):
        return Verdict.TAMPERED, f"its job wrote to {prefix}, and none under the seal did"
    if prefix.is_absolute() and not here:
        what = f"its job wrote to {prefix}; make that a link to these results, and audit again"
        return Verdict.INCOMPLETE, what
    needed = dict(record.files("inputs"))
    if path := next(_foreign(needed, chain), None):
        return Verdict.TAMPERED, f"{path} is neither of these results nor of their workflow"
    for other in _sealed(chain):
        needed |= other.files("outputs")
    for path, recorded in needed.items():
        if not (chain.same(path, recorded) or passed_on_seldom(path, chain.root)):
            verdict = Verdict.CHANGED_CODE if is_ours(path) else Verdict.CHANGED_DATA
            return verdict, f"{shown(path, chain.root)} is not as it was"
    damaged = (other.name for other in chain.records if not other.intact)
    return next(((Verdict.TAMPERED, f"{name} is not as it was") for name in damaged), None)


def _foreign(paths: Iterable[Path], chain: Chain) -> Iterator[Path]:
    """Yield what no page is made of: all but files of the results and of a workflow's checkout."""
    known = {path for other in _sealed(chain) for path in other.files("inputs")}
    for path in paths:
        below = path.is_relative_to(chain.root)
        if not (below or path in known or resembles_ours(path)):
            yield path


def _made_again(record: Record, chain: Chain, path: Path) -> Iterator[Finding | Note]:
    name = shown(path, chain.root)
    with tempfile.TemporaryDirectory() as folder, _as_then(record, chain.root):
        again = Path(folder, "page")
        try:
            for what in _misled(record, chain):
                yield Finding(Verdict.TAMPERED, name, what)
            for table in _passed_over(record, chain):
                yield Note(name, f"says nothing of {shown(table, chain.root)}")
            _PAGES[record.rule](record, again)
            if _unpacked(text_of(again)) != _unpacked(text_of(path)):
                yield Finding(_blame(record, chain), name, DIFFERS)
        except Exception as error:  # whatever was forged must end as a finding
            yield Finding(_blame(record, chain), name, f"cannot be made again: {error!r}")


def _misled(record: Record, chain: Chain) -> Iterator[str]:
    """Yield how a page's record, itself under no seal, had it made of other things."""
    for key in _DECLARED:
        known = [other.settings[key] for other in _sealed(chain) if key in other.settings]
        if known and record.settings.get(key) not in known:
            yield f"was made for another {key} than the tables"
    if record.settings["results"] != record.prefix:
        yield f"was made of {record.settings['results']}"
    if not runs_this_workflow(record.settings.get("command", "snakemake --cores all")):
        yield "tells to run another command than this workflow's"
    for name in _shown_files(record):
        if record.locate(name) not in record.files("inputs"):
            yield f"was made of {name}, which its record does not say it read"


def runs_this_workflow(command: object) -> bool:
    """Return whether a command runs this workflow, with files and values to configure it only."""
    try:
        words = shlex.split(str(command))
    except ValueError:  # an open quote
        return False
    options = {word for word in words[3:] if word.startswith("-")}
    configures = options <= _OPTIONS and set(words[3:4]) <= _OPTIONS and "://" not in str(command)
    return words[:3] in _RUNS and configures and shlex.join(words) == command


def _passed_over(record: Record, chain: Chain) -> Iterator[Path]:
    """Yield the tables that a page should count, and does not."""
    told = {record.locate(name) for name in _shown_files(record)}
    tables = (other for other in _sealed(chain) if other.rule == "table")
    written = (path for other in tables for path in other.files("outputs"))
    return (path for path in written if path.suffix == ".csv" and path not in told)


def _shown_files(record: Record) -> list[str]:
    return [*record.settings["tables"], *record.settings.get("figures", [])]


@contextlib.contextmanager
def _as_then(record: Record, root: Path) -> Iterator[None]:
    """Enter a folder from where the results have the path that the job knew them by."""
    with tempfile.TemporaryDirectory() as folder:
        # As deep as the job's path to the results climbs.
        here = Path(folder, *("here" for part in Path(str(record.prefix)).parts if part == ".."))
        here.mkdir(parents=True, exist_ok=True)
        place = here / str(record.prefix)
        if not place.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            place.symlink_to(root)
        with contextlib.chdir(here):
            yield


def _blame(record: Record, chain: Chain) -> Verdict:
    """Return what a page that comes out otherwise speaks of: other results, code, or a forgery."""
    started = str(record.content.get("started"))
    if any(str(other.content.get("ended")) > started for other in _sealed(chain)):
        return Verdict.CHANGED_DATA
    return blame(record, chain)


def _sealed(chain: Chain) -> list[Record]:
    records = (record for record in chain.records if not record.outside)
    return [record for record in records if is_sealed(record)]


def _unpacked(page: str) -> str:
    """Return a page with its data as they were before a library packed them its own way."""
    return _PACKED.sub(lambda found: gzip.decompress(base64.b64decode(found[0])).decode(), page)


def _certificate(record: Record, path: Path) -> None:
    write_certificate(
        record.settings,
        claims=_input(record, "claims.csv"),
        published=_published(record),
        lock=_input(record, "requirements.lock"),
        path=path,
    )


def _report_page(record: Record, path: Path) -> None:
    write_page(
        record.settings,
        claims=_input(record, "claims.csv"),
        contradictions=_input(record, "contradictions.yaml"),
        published=_published(record),
        certificate=_input(record, "certificate.md"),
        path=path,
    )


def _input(record: Record, name: str) -> str:
    return next(str(path) for path in record.files("inputs") if path.name == name)


def _published(record: Record) -> list[str]:
    return [str(path) for path in record.files("inputs") if path.parent.name == "published"]


_PAGES: Mapping[str, Callable[[Record, Path], None]] = {
    "certificate": _certificate,
    "report_page": _report_page,
}
