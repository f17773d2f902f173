"""Links of the report page: to the files of the run, the repository and the papers."""

import json
from pathlib import Path

import pytest

from fedssl.paper.page.evidence import row_files, runs_behind
from fedssl.paper.page.jobs import Jobs
from fedssl.paper.page.links import Links, with_arxiv
from fedssl.paper.page.repository import browsable, repository_url
from tests.report_tree import ROOT

CELL = "fassl/acop/resnet18/fedavg/a100-i0-b0/base/seed0"


@pytest.mark.parametrize(
    ("remote", "url"),
    [
        ("git@host.org:team/code.git", "https://host.org/team/code"),
        ("ssh://git@host.org:2222/team/code.git", "https://host.org/team/code"),
        ("https://user:secret@host.org/team/code.git", "https://host.org/team/code"),
        ("https://host.org/team/code/", "https://host.org/team/code"),
        ("/home/user/code", None),
        ("../code.git", None),
        ("file:///home/user/code", None),
    ],
)
def test_a_remote_becomes_a_web_address_without_secrets(remote: str, url: str | None) -> None:
    assert browsable(remote) == url


def test_the_citation_names_the_repository_before_git_does(tmp_path: Path) -> None:
    assert repository_url(tmp_path) is None
    (tmp_path / "CITATION.cff").write_text("repository-code: https://host.org/cited/\n")
    assert repository_url(tmp_path) == "https://host.org/cited"


def test_an_arxiv_number_is_a_link_and_the_rest_is_escaped() -> None:
    assert with_arxiv("<b> (arXiv 2504.09516)") == (
        '&lt;b&gt; (<a href="https://arxiv.org/abs/2504.09516">arXiv 2504.09516</a>)'
    )


def write(path: Path, content: object = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return path


@pytest.mark.parametrize(
    ("rule", "folder", "output", "log"),
    [
        ("evaluate", "evaluate", f"evaluate/{CELL}/k s/knn.json", f"{CELL}/k s.log"),
        ("evaluate_random_init", "evaluate", "evaluate/fassl/x/knn.json", "fassl/x.log"),
        ("fine_tune_pairs", "fine_tune_pairs", f"evaluate/{CELL}/p/f.json", f"{CELL}/p.log"),
        ("pretrain_centralised", "pretrain", f"pretrain/{CELL}/model.safetensors", f"{CELL}.log"),
        ("embedding_map", "embedding_map", f"maps/{CELL}/final.json", f"{CELL}/final.log"),
    ],
)
def test_an_output_is_linked_with_the_log_of_its_job(
    tmp_path: Path, rule: str, folder: str, output: str, log: str
) -> None:
    for other in ("evaluate", "fine_tune", "pretrain"):
        write(tmp_path / "logs" / other / "other.log")
    written, _ = write(tmp_path / output), write(tmp_path / "logs" / folder / log)
    links = Links(tmp_path / "report/index.html")
    found = dict(links.beside(written, rule=rule, record=tmp_path / "gone.json"))
    assert found == {
        written.name: f"../{output}".replace(" ", "%20"),
        "log": f"../logs/{folder}/{log}".replace(" ", "%20"),
    }


def test_a_row_rests_on_the_files_of_its_pretrainings_and_of_their_encoders_before() -> None:
    axes = {"method": "acop", "arch": "resnet18", "aggregator": "fedavg fedavg-bb"}
    axes |= {"split": "a100-i0-b0", "variant": "base"}
    own = f"evaluate/{CELL}/speech/knn.json"
    other = own.replace("fedavg", "fedavg-bb")
    before = "evaluate/fassl/random-init/resnet18/base/seed0/speech/knn.json"
    foreign = [own.replace("acop", "simclr"), own.replace("base", "e10"), own.replace("base", "b")]
    foreign += [before.replace("resnet18", "vit"), before.replace("base", "e10")]
    files = [own, other, before, *foreign]
    assert row_files(files, axes) == [own, other, before]
    assert row_files(files, axes, tasks=["music"]) == []
    assert row_files(files, {}) == []


def test_the_job_of_a_file_is_found_by_its_outputs(tmp_path: Path) -> None:
    """One job writes the scores of rounds and two scores; its record is named after the first."""
    folder = tmp_path / "evaluate" / CELL / "speech"
    score = {"task": "speech", "protocol": "best-round", "value": 50.0, "n_eval": 10}
    best = write(folder / "best-round.json", score)
    model = write(tmp_path / "pretrain" / CELL / "model.safetensors")
    content = {"rule": "score_rounds", "outputs": {str(best): ""}, "inputs": {str(model): ""}}
    content |= {"settings": {}, "packages": {}, "python": "", "hardware": {}, "sources": {}}
    content |= {"git": {}, "peak_memory_mb": {}, "seconds": 1.0, "started": "", "digest": ""}
    record = write(folder / "rounds.provenance.json", content)
    write(folder / "other.provenance.json", content | {"outputs": {}})
    jobs = Jobs(Links(tmp_path / "report/index.html"))
    (run,) = runs_behind([str(best), str(folder / "gone.json")], jobs)
    data = jobs.as_data()
    assert run["seed"] == "0"
    first, second = (data["steps"][place] for place in run["steps"])
    assert first["path"][1] == "model.safetensors" and first["job"] is None
    assert (second["scored"], second["value"], second["job"]) == ("speech", 50.0, 0)
    assert dict(second["files"])["record"].endswith(record.name)


def test_the_shipped_repository_is_named_or_absent() -> None:
    url = repository_url(ROOT)
    assert url is None or url.startswith("https://")
