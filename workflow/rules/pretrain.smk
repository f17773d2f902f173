"""Federated pretraining of one cell."""

from fedssl import aggregators, backbones, methods


def pretrain_settings(wildcards):
    """Everything the cell's result depends on, as one dict: Snakemake compares its text."""
    return GRID.settings(cell_of(wildcards))


def pretrain_sources(wildcards):
    """The code behind a cell: the round loop, and its method, encoder and aggregator."""
    return source_digests(
        SCRIPTS / "pretrain.py",
        methods.module_name(wildcards.method),
        backbones.module_name(wildcards.arch),
        aggregators.module_name(wildcards.aggregator),
    )


def pretrain_state(wildcards):
    """Where an interrupted run keeps its rounds: a folder for these settings and this code."""
    return TREE.state(digest([pretrain_settings(wildcards), pretrain_sources(wildcards)])[:16])


def pretrain_inputs(wildcards):
    """Banks and shards of the modalities in use, and the spectrogram statistics."""
    cell = cell_of(wildcards)
    inputs = {}
    for modality, dataset in GRID.datasets(cell).items():
        inputs[f"{modality}_bank"] = TREE.bank(dataset)
        inputs[f"{modality}_shards"] = TREE.shards(dataset, GRID.sharding(cell), cell.seed)
        if modality == "audio":
            inputs["normalisation"] = TREE.normalisation(cell.study, dataset)
    return inputs


def pretrain_threads(wildcards):
    """The threads of a cell are one of its settings."""
    return pretrain_settings(wildcards)["threads"]


rule pretrain:
    input:
        unpack(pretrain_inputs),
    output:
        model=f"<results>/pretrain/{CELL}/model.safetensors",
        rounds=f"<results>/pretrain/{CELL}/rounds.csv",
        provenance=f"<results>/pretrain/{CELL}/provenance.json",
    log:
        f"<logs>/pretrain/{CELL}.log",
    benchmark:
        f"<benchmarks>/pretrain/{CELL}.tsv"
    params:
        settings=pretrain_settings,
        sources=pretrain_sources,
        state=pretrain_state,
    threads: pretrain_threads
    message:
        "pretraining {wildcards.method} {wildcards.arch} {wildcards.aggregator} "
        "{wildcards.split} {wildcards.variant} seed {wildcards.seed}"
    script:
        "../scripts/pretrain.py"
