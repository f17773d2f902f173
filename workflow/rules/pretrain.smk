"""Pretraining of one cell: federated, or on all data in one place."""

DECLARED = MEMORY.inputs(
    PRETRAIN.inputs,
    PRETRAIN.settings,
    record=f"<results>/pretrain/{CELL}/provenance.json",
)


rule pretrain:
    input:
        unpack(DECLARED),
    output:
        model=f"<results>/pretrain/{CELL}/model.safetensors",
        rounds=f"<results>/pretrain/{CELL}/rounds.csv",
        milestones=directory(f"<results>/pretrain/{CELL}/milestones"),
        provenance=f"<results>/pretrain/{CELL}/provenance.json",
    log:
        f"<logs>/pretrain/{CELL}.log",
    benchmark:
        f"<benchmarks>/pretrain/{CELL}.tsv"
    wildcard_constraints:
        aggregator=one_of(PRETRAIN.federated),
    conda:
        "../../envs/fedssl.yaml"
    threads: PRETRAIN.threads
    params:
        settings=PRETRAIN.settings,
        sources=PRETRAIN.sources,
        state=PRETRAIN.state,
    message:
        "pretraining {wildcards.method} {wildcards.arch} {wildcards.aggregator} "
        "{wildcards.split} {wildcards.variant} seed {wildcards.seed}"
    script:
        "../scripts/pretrain.py"


rule pretrain_centralised:
    input:
        unpack(DECLARED),
    output:
        model=f"<results>/pretrain/{CELL}/model.safetensors",
        rounds=f"<results>/pretrain/{CELL}/rounds.csv",
        provenance=f"<results>/pretrain/{CELL}/provenance.json",
    log:
        f"<logs>/pretrain/{CELL}.log",
    benchmark:
        f"<benchmarks>/pretrain/{CELL}.tsv"
    wildcard_constraints:
        aggregator="centralised",
    conda:
        "../../envs/fedssl.yaml"
    threads: PRETRAIN.threads
    params:
        settings=PRETRAIN.settings,
        sources=PRETRAIN.centralised_sources,
        state=PRETRAIN.state,
    message:
        "pretraining {wildcards.method} {wildcards.arch} centralised "
        "{wildcards.split} {wildcards.variant} seed {wildcards.seed}"
    script:
        "../scripts/pretrain_centralised.py"
