"""Mistakes: one message with file, key, value and remedy, before any job starts."""

import os
from pathlib import Path

import pytest

from tests.workflow.project import CONFIG, Project

DEMO = ("--configfile", "config/demo.yaml")


@pytest.mark.parametrize(
    ("addition", "file", "words"),
    [
        (
            "settings: {optimiser: {lrr: 0.1}}",
            "extra.yaml",
            "settings.optimiser.lrr is no setting (did you mean lr?)",
        ),
        (
            "settings: {federation: {rounds: many}}",
            "extra.yaml",
            "settings.federation.rounds is 'many'; it must be a valid integer",
        ),
        (
            "settings: {federation: {fraction: 1.5}}",
            "extra.yaml",
            "settings.federation.fraction is 1.5; it must be less than or equal to 1",
        ),
        (
            "studies: {fssuavl: {cells: [{method: [simclr], arch: [resnet18], "
            "aggregator: [fedavg], split: [a33-i33-b33], variant: [base]}]}}",
            "extra.yaml",
            "studies.fssuavl.cells[0]: split 'a33-i33-b33' sums to 99 percent of the clients",
        ),
        (
            "studies: {fssuavl: {cells: [{method: [simclr], arch: [resnet18], "
            "aggregator: [fedavg], split: [all-of-them], variant: [base]}]}}",
            "extra.yaml",
            "studies.fssuavl.cells[0].split[0] is 'all-of-them'; it must be a{x}-i{y}-b{z}",
        ),
        (
            "studies: {fssuavl: {cells: ["
            + 2
            * (
                "{method: [simclr], arch: [resnet18], aggregator: [fedavg], "
                "split: [a0-i0-b100], variant: [base]}, "
            )
            + "]}}",
            "extra.yaml",
            "studies.fssuavl.cells[1] declares fssuavl/simclr/resnet18/fedavg/a0-i0-b100/base/",
        ),
        (
            "studies: {fssuavl: {cells: [{method: [simclr], arch: [resnet18], "
            "aggregator: [fedavgg], split: [a0-i0-b100], variant: [base]}]}}",
            "extra.yaml",
            "studies.fssuavl.cells[0].aggregator[0] is 'fedavgg'; it must be",
        ),
        (
            "studies: {fssuavl: {cells: [{method: [simclr], arch: [resnet18], "
            "aggregator: [fedavg], split: [a0-i0-b100], variant: [e7]}]}}",
            "extra.yaml",
            "studies.fssuavl.cells[0].variant names 'e7'; declared are base",
        ),
        (
            "studies: {fssuavl: {tasks: [{task: cifar11, split: test}]}}",
            "extra.yaml",
            "studies.fssuavl.tasks[0].task names 'cifar11', which is no dataset (did you mean",
        ),
        (
            "studies: {fssuavl: {tasks: [{task: cifar10, split: testing}]}}",
            "extra.yaml",
            "studies.fssuavl.tasks[0].split is 'testing'; cifar10 has train, test",
        ),
    ],
)
def test_a_mistake_in_a_file_is_named(copy: Project, addition: str, file: str, words: str) -> None:
    (copy.root / "extra.yaml").write_text(addition)
    printed = copy.run("--dry-run", config=(*DEMO, "extra.yaml"), ok=False)
    assert f"fedssl: {file}: {words}" in printed
    assert "WorkflowError" not in printed and "in <module>" not in printed
    assert "Traceback" not in printed


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "extra.yaml cannot be read (No such file or directory)."),
        (b"", "extra.yaml sets nothing; leave it out of --configfile."),
        (b"settings:\n\tthreads: 1\n", "line 2, column 1; indent with spaces, not with tabs."),
        (b"scale: {note: caf\xe9}\n", "invalid continuation byte; save it as UTF-8."),
    ],
)
def test_a_file_that_snakemake_cannot_read_is_named(
    copy: Project, content: bytes | None, words: str
) -> None:
    """Snakemake reads it before the workflow, and its own error names neither file nor line."""
    (copy.root / "extra.yaml").unlink(missing_ok=True)
    if content is not None:
        (copy.root / "extra.yaml").write_bytes(content)
    said = copy.run("--dry-run", config=(*DEMO, "extra.yaml"), ok=False).splitlines()[-1]
    assert said.startswith("fedssl: extra.yaml ") and said.endswith(words)


def test_results_go_where_a_variable_says_but_never_where_there_are_spaces(
    unfinished: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCRATCH", "elsewhere")
    bank = "elsewhere/out/banks/cifar10/bank.json"
    options = (bank, *DEMO, "--config", "results_dir=$SCRATCH//out/", "data_dir=./$SCRATCH/")
    planned = unfinished.run("--dry-run", config=options)
    assert "elsewhere/archives/cifar10/batches.tar.gz" in planned
    refused = unfinished.run("-n", config=(*DEMO, "--config", "results_dir=my results"), ok=False)
    assert "--config: results_dir is 'my results'; it must be without white space" in refused


def test_a_mistake_on_the_command_line_is_named(copy: Project) -> None:
    assert copy.planned(
        "fssuavl", config=(*DEMO, "--config", "seeds=[0, 7]", "mirror=null", "banks={threads: 2}")
    )
    printed = copy.run("--dry-run", config=(*DEMO, "--config", "seeds=zero"), ok=False)
    assert "--config: seeds is 'zero'; it must be a list" in printed


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("fssuavl_tabel2", "there is no target 'fssuavl_tabel2' (did you mean fssuavl_table2?)"),
        (
            "results/demo/pretrain/fssuavl/simclr/resnet18/fedavgg/a0-i100-b0/base/seed0/x",
            "'fedavgg' is no declared aggregator (did you mean fedavg?)",
        ),
        (
            "results/demo/evaluate/fssuavl/simclr/resnet18/fedavg/a0-i100-b0/base/seed7/cifar10",
            "'seed7' is no declared seed (did you mean seed0?)",
        ),
        (
            "results/demo/pretrain/fssuavl/simclr/resnet18/fedavg/a0-i100-b0/base/seed0/model.pt",
            "/model.pt; that folder has milestones, model.safetensors, ",
        ),
        (
            "results/demo/tables/fssuavl_tabel2.csv",
            "fssuavl_tabel2.csv (did you mean fssuavl_table2.csv?); that folder has ",
        ),
        (
            "results/g/tables/fssuavl_table2.csv",
            "; this run writes to results/demo (results_dir), results/demo (data_dir)",
        ),
    ],
)
def test_a_mistyped_target_is_named(copy: Project, target: str, words: str) -> None:
    printed = copy.run("--dry-run", target, ok=False)
    assert words in printed and "Traceback" not in printed


def test_an_absolute_path_into_a_relative_folder_is_told_so(copy: Project) -> None:
    target = "results/demo/figures/fssuavl_loss.pdf"
    printed = copy.run("--dry-run", str(copy.root / target), ok=False)
    assert f"because results_dir is results/demo: name it {target}" in printed


def test_the_paper_grid_is_planned_without_any_data(copy: Project) -> None:
    planned = copy.planned(config=())
    assert planned["pretrain"] == 195 and planned["evaluate"] == 1044 and planned["acquire"] >= 6
    assert planned["embedding_map"] == 42 and planned["map_figure"] == 2


def test_a_restricted_archive_fails_in_its_own_job_with_instructions(unfinished: Project) -> None:
    archive = "data/archives/vggsound/vggsound.csv"
    printed = unfinished.run("--cores", "1", archive, config=("--retries", "0"), ok=False)
    assert "acquire" in printed and "vggsound" in printed
    told = " ".join(printed.split())
    assert "Put vggsound.csv and clips.txt in data/archives/vggsound/" in told
    assert "run snakemake results/paper/banks/vggsound/bank.json" in told
    assert "retry just these" in printed
    assert not (unfinished.root / archive).exists()


def test_a_failed_run_ends_with_what_failed_and_how_to_retry(unfinished: Project) -> None:
    """A node's failure: the archive is damaged after it was made; other cells go on."""
    bank = "results/demo/banks/cifar10/bank.json"
    archive = unfinished.root / "results/demo/archives/cifar10/batches.tar.gz"
    unfinished.run("--cores", "1", str(archive.relative_to(unfinished.root)))
    archive.write_bytes(archive.read_bytes()[:5000])
    printed = unfinished.run("--cores", "1", "--keep-going", bank, ok=False)
    report = printed[printed.index("1 failed:") :]
    assert f"bank_images  {bank}" in report
    assert "cause" in report and "batches.tar.gz" in report
    assert "log    results/demo/logs/bank/cifar10.log" in report
    command = f"snakemake {' '.join(CONFIG)} --cores 1 --keep-going -- {bank}"
    assert command in report
    assert not list((unfinished.root / Path(bank).parent).glob("*")), "nothing half-written"
    archive.unlink()
    unfinished.run("--cores", "1", "--", bank)
    assert (unfinished.root / bank).is_file()


@pytest.mark.parametrize("name", ["tables", "state", "banks/cifar10/bank.json"])
def test_what_is_in_place_of_results_is_refused_in_one_line(copy: Project, name: str) -> None:
    place = copy.root / "results/demo" / name
    place.parent.mkdir(parents=True, exist_ok=True)
    os.mkfifo(place)
    try:
        printed = copy.run("--dry-run", ok=False)
        assert printed.splitlines()[-1].startswith(f"fedssl: results/demo/{name} is a named pipe")
        assert "Unlocked" in copy.run("--unlock"), "which needs no plan"
    finally:
        place.unlink()


def test_a_users_own_files_among_the_results_are_no_mistake(copy: Project) -> None:
    for name in ("banks/README.md", "pretrain/fssuavl/Thumbs.db", "archives/vggsound/clips/a.wav"):
        path = copy.root / "results/demo" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("mine")
    assert copy.planned()
