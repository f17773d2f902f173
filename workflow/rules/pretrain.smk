"""Federated pretraining of one cell."""


rule pretrain:
    input:
        unpack(PRETRAIN.inputs),
    output:
        model=f"<results>/pretrain/{CELL}/model.safetensors",
        rounds=f"<results>/pretrain/{CELL}/rounds.csv",
        provenance=f"<results>/pretrain/{CELL}/provenance.json",
    log:
        f"<logs>/pretrain/{CELL}.log",
    benchmark:
        f"<benchmarks>/pretrain/{CELL}.tsv"
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
