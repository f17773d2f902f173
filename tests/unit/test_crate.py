"""The crate of a made-up run, held against what the Provenance Run profile says MUST be."""

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from rocrate.rocrate import ROCrate

from fedssl.crate.crate import build_crate, write_crate
from fedssl.crate.jobs import read_jobs, rule_order
from fedssl.errors import UserError
from fedssl.files import sha256
from fedssl.record.sources import PACKAGE
from tests.unit.runs import HARDWARE, record

ROOT = PACKAGE.parents[1]
CODE = ["Snakefile", "requirements.lock", "envs/fedssl.yaml", "config/claims.yaml"]
TOOLS = {"SoftwareApplication", "SoftwareSourceCode", "ComputationalWorkflow"}
Entity = dict[str, Any]


def made(path: Path, text: str) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return str(path)


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A bank from a downloaded and a supplied archive, two cells, a table that reads a claim."""
    root = tmp_path / "results"
    archives = [made(tmp_path / "data" / name, name) for name in ("public.zip", "supplied.tar")]
    bank = made(root / "banks/a b/bank.json", "{}")
    script = "workflow/scripts/bank.py"
    path = root / "banks/a b/provenance.json"
    record(path, "bank", inputs=archives, outputs=[bank], script=script)
    script = "workflow/scripts/pretrain.py"
    models = [made(root / f"pretrain/{seed}/model.safetensors", seed) for seed in ("s0", "s1")]
    for model in models:
        path = Path(model).with_name("provenance.json")
        seed = {"seed": path.parent.name}
        record(path, "pretrain", inputs=[bank], outputs=[model], wildcards=seed, script=script)
    table = made(root / "tables/t.csv", "x")
    claims = str(ROOT / "config/claims.yaml")
    record(root / "tables/t.provenance.json", "table", inputs=[*models, claims], outputs=[table])
    made(root / "cells.csv", "cells")
    return root


def spec(results: Path, **changes: Any) -> dict[str, Any]:
    urls = {str(results.parent / "data/public.zip"): "https://example.org/public.zip"}
    given = {"title": "demo", "scale": "scaled", "scale_note": "demo", "results": str(results)}
    return {**given, "urls": urls, "code": CODE, **changes}


def build(results: Path) -> ROCrate:
    return build_crate(spec(results), read_jobs(str(results)))


def beside(results: Path) -> dict[str, Path]:
    return {"preview": results / "ro-crate-preview.html", "code": results / "code"}


@pytest.fixture
def graph(results: Path) -> dict[str, Entity]:
    entities = build(results).metadata.generate()["@graph"]
    found = {entity["@id"]: entity for entity in entities}
    assert len(found) == len(entities), "an @id stands twice"
    return found


def types(entity: Entity) -> set[str]:
    kinds = entity["@type"]
    return {kinds} if isinstance(kinds, str) else set(kinds)


def of_type(graph: dict[str, Entity], kind: str) -> list[Entity]:
    return [entity for entity in graph.values() if kind in types(entity)]


def refs(entity: Entity, key: str) -> list[str]:
    value = entity.get(key, [])
    return [item["@id"] for item in (value if isinstance(value, list) else [value])]


def all_refs(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if set(value) == {"@id"}:
            yield value["@id"]
        else:
            for inner in value.values():
                yield from all_refs(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from all_refs(inner)


def test_every_reference_within_the_crate_leads_somewhere(graph):
    wanted = {ref for entity in graph.values() for ref in all_refs(entity)}
    outside = {
        ref for ref in wanted - set(graph) if ref.startswith("https://w3id.org/ro/crate/1.1")
    }
    assert wanted <= set(graph) | outside


def test_the_root_names_its_profiles_and_its_workflow(graph):
    root = graph["./"]
    for name in ("process", "workflow", "provenance"):
        (profile,) = (ref for ref in refs(root, "conformsTo") if f"/wfrun/{name}/" in ref)
        assert types(graph[profile]) == {"CreativeWork"}
    (main,) = refs(root, "mainEntity")
    wanted = {"File", "SoftwareSourceCode", "ComputationalWorkflow", "HowTo"}
    assert wanted == types(graph[main])
    assert all(root[key] for key in ("name", "description", "license", "datePublished"))
    assert "Scaled, not comparable" in root["description"]


def test_the_workflow_has_a_tool_a_script_and_a_step_a_rule_in_order(graph):
    workflow = graph["code/Snakefile"]
    scripts = {f"code/workflow/scripts/{name}.py" for name in ("bank", "pretrain", "product")}
    assert set(refs(workflow, "hasPart")) == scripts
    steps = [graph[ref] for ref in refs(workflow, "step")]
    assert all(types(step) == {"HowToStep"} for step in steps)
    assert [step["name"] for step in steps] == ["bank", "pretrain", "table"]
    assert [int(step["position"]) for step in steps] == [0, 1, 2]
    for step in steps:
        (tool,) = refs(step, "workExample")
        assert tool in scripts and TOOLS & types(graph[tool])


def test_each_job_is_an_action_of_its_tool_and_a_control_of_its_step(graph):
    actions, controls = of_type(graph, "CreateAction"), of_type(graph, "ControlAction")
    assert (len(actions), len(controls)) == (5, 4)  # the run itself is the fifth
    for action in actions:
        assert TOOLS & types(graph[refs(action, "instrument")[0]])
        assert types(graph[refs(action, "agent")[0]]) == {"Person"}
        assert action["startTime"] < action["endTime"]
    assert set(refs(graph["./"], "mentions")) == {action["@id"] for action in actions}
    controlled = [ref for control in controls for ref in refs(control, "object")]
    assert sorted(controlled) == sorted(a["@id"] for a in actions if a["@id"] != "#run")
    for control in controls:
        assert types(graph[refs(control, "instrument")[0]]) == {"HowToStep"}
    (engine,) = of_type(graph, "OrganizeAction")
    assert set(refs(engine, "object")) == {control["@id"] for control in controls}
    assert refs(engine, "result") == ["#run"]
    assert refs(graph["#run"], "instrument") == refs(graph["./"], "mainEntity")


def test_files_are_found_by_path_or_address_or_digest(graph, results):
    (bank,) = (a for a in of_type(graph, "CreateAction") if a["name"] == "bank")
    assert refs(bank, "result") == ["banks/a%20b/bank.json", "banks/a%20b/provenance.json"]
    supplied = sha256(results.parent / "data/supplied.tar")
    assert refs(bank, "object") == ["https://example.org/public.zip", f"#file-{supplied[:16]}"]
    missing = graph[f"#file-{supplied[:16]}"]
    assert (missing["sha256"], types(missing)) == (supplied, {"CreativeWork"})
    (table,) = (a for a in of_type(graph, "CreateAction") if a["name"] == "table")
    assert "code/config/claims.yaml" in refs(table, "object")
    assert "cells.csv" in graph


def test_the_run_goes_from_what_no_job_made_to_what_no_job_read(graph):
    given = refs(graph["#run"], "object")
    assert len(given) == 3 and "code/config/claims.yaml" in given
    assert refs(graph["#run"], "result") == ["tables/t.csv"]


def test_every_file_carries_the_digest_of_its_bytes(results, graph):
    assert graph["tables/t.csv"]["sha256"] == sha256(results / "tables/t.csv")
    for entity in of_type(graph, "File"):
        assert len(entity["sha256"]) == 64, entity["@id"]


def test_a_file_that_changed_since_it_was_read_is_another_one(results):
    bank = results / "banks/a b/bank.json"
    before = sha256(bank)
    made(bank, "changed")
    record(bank.with_name("provenance.json"), "bank", outputs=[str(bank)])
    entities = build(results).metadata.generate()["@graph"]
    (cell, *_) = (e for e in entities if e.get("name") == "pretrain s0")
    assert refs(cell, "object") == [f"#file-{before[:16]}"]


def test_commits_and_packages_are_those_of_the_jobs(results):
    path = results / "pretrain/s1/provenance.json"
    facts = {"git": {"commit": "d" * 40, "dirty": True}, "packages": {"torch": "2.12.0"}}
    script = "workflow/scripts/pretrain.py"
    record(path, "pretrain", script=script, hardware=HARDWARE | {"gpu": "H200"}, **facts)
    crate = build(results)
    tool = crate.get("code/workflow/scripts/pretrain.py")
    assert tool["version"] == f"{'c' * 40}, {'d' * 40}-dirty"
    versions = {e["softwareVersion"] for e in tool["softwareRequirements"] if e["name"] == "torch"}
    assert versions == {"2.11.0", "2.12.0"}
    described = {e["description"] for e in crate.get_by_type("CreateAction")}
    assert f"Commit {'d' * 40}-dirty, on AMD EPYC, 2 cores, H200." in described


def test_a_job_of_a_script_that_is_gone_is_named(results):
    script = "workflow/scripts/gone.py"
    record(results / "old/provenance.json", "gone", outputs=[], script=script)
    with pytest.raises(UserError, match=r"old/provenance\.json was written by .*gone\.py, which"):
        build(results)


def test_a_script_of_another_checkout_is_known_by_its_place(results):
    script = "/elsewhere/fedssl/workflow/scripts/pretrain.py"
    record(results / "pretrain/s1/provenance.json", "pretrain", script=script)
    assert {job.script for job in read_jobs(str(results)) if job.rule == "pretrain"} == {
        "workflow/scripts/pretrain.py"
    }


def test_a_job_without_a_script_is_named(results):
    record(results / "odd/provenance.json", "odd", outputs=[], script="/elsewhere/odd.py")
    with pytest.raises(UserError, match=r"odd/provenance\.json names no script"):
        build(results)


def test_rules_come_after_those_whose_outputs_they_read(results):
    assert rule_order(reversed(read_jobs(str(results)))) == ["bank", "pretrain", "table"]


def test_the_crate_holds_the_code_and_is_the_same_every_time(results):
    texts = []
    for _ in range(2):
        path = results / "ro-crate-metadata.json"
        write_crate(spec(results), metadata=path, **beside(results))
        record(results / "crate.provenance.json", "crate", outputs=[str(path)])
        texts.append(path.read_text())
    assert texts[0] == texts[1]
    assert (results / "code/Snakefile").read_bytes() == (ROOT / "Snakefile").read_bytes()
    assert json.loads(texts[0])["@context"][0] == "https://w3id.org/ro/crate/1.1/context"


def test_the_preview_is_named_as_the_specification_asks(graph):
    entity = graph["ro-crate-preview.html"]
    assert (entity["@type"], entity["about"]) == ("CreativeWork", {"@id": "./"})
    assert "ro-crate-preview.html" not in refs(graph["./"], "hasPart")


def test_the_preview_leads_to_files_of_the_crate_and_escapes_their_titles(results):
    hostile = "<script>x</script>"
    files = [made(results / f"tables/n.{kind}", "x") for kind in ("csv", "html", "md")]
    settings = {"title": f"{hostile}; a caption"}
    record(results / "tables/n.provenance.json", "table", outputs=files, settings=settings)
    write_crate(spec(results), metadata=results / "ro-crate-metadata.json", **beside(results))
    page = (results / "ro-crate-preview.html").read_text()
    assert hostile not in page and "&lt;script&gt;x&lt;/script&gt;</td>" in page
    links = {unquote(link) for link in re.findall(r'href="([^"]+)"', page)}
    relative = {link for link in links if not re.match("https?:|data:", link)}
    assert {"tables/n.html", "cells.csv", "ro-crate-metadata.json"} <= relative
    # Scripts that are not in `code` of this test have no copy.
    gone = {link for link in relative if not (results / link).is_file()}
    assert all(link.startswith("code/workflow/scripts/") for link in gone)
    assert "https://example.org/public.zip" in links


def test_the_papers_grid_takes_seconds_and_a_bounded_file(tmp_path):
    root, jobs = tmp_path / "results", 1500
    for job in range(jobs):
        folder = root / f"evaluate/fssuavl/simclr/resnet18/fedavg/a0-i0-b100/base/seed{job}/task"
        names = [f"{folder}/{n}.{k}" for n in ("knn", "probe", "retrieval") for k in ("json", "pq")]
        inputs = [str(root / f"pretrain/{job}.safetensors"), str(root / "bank.json")]
        record(folder / "provenance.json", "evaluate", inputs=inputs, outputs=names)
    started = time.process_time()
    metadata = root / "ro-crate-metadata.json"
    write_crate(spec(root), metadata=metadata, **beside(root))
    assert time.process_time() - started < 30  # seconds of this process
    assert metadata.stat().st_size < 10_000 * jobs


def test_thousands_of_own_files_stand_as_one(results):
    own = {f"recordings/{number}.wav": "a" * 64 for number in range(5000)}
    bank = made(results / "banks/own/bank.json", "{}")
    path = results / "banks/own/provenance.json"
    record(path, "bank", inputs=list(own), outputs=[bank])
    entities = build(results).metadata.generate()["@graph"]
    assert len(entities) < 100
    digest = json.loads(path.read_text())["digest"]
    (action,) = (e for e in entities if e["@id"] == f"#job-{digest[:16]}")
    names = {e["@id"]: e["name"] for e in entities if e["@id"].startswith("#files-")}
    assert [names.get(ref) for ref in refs(action, "object")] == ["5000 files"]
