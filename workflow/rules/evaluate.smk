"""Downstream evaluation: one job a checkpoint and task, features computed once."""


rule evaluate:
    input:
        unpack(EVALUATE.inputs),
        model=f"<results>/pretrain/{CELL}/model.safetensors",
    output:
        knn=f"<results>/evaluate/{CELL}/{{task}}/knn.json",
        predictions=f"<results>/evaluate/{CELL}/{{task}}/knn.parquet",
        provenance=f"<results>/evaluate/{CELL}/{{task}}/provenance.json",
    log:
        f"<logs>/evaluate/{CELL}/{{task}}.log",
    benchmark:
        f"<benchmarks>/evaluate/{CELL}/{{task}}.tsv"
    conda:
        "../../envs/fedssl.yaml"
    threads: EVALUATE.threads
    params:
        settings=EVALUATE.settings,
        sources=EVALUATE.sources,
    message:
        "scoring {wildcards.method} {wildcards.arch} {wildcards.aggregator} "
        "{wildcards.split} {wildcards.variant} seed {wildcards.seed} on {wildcards.task}"
    script:
        "../scripts/evaluate.py"


use rule evaluate as evaluate_random_init with:
    input:
        unpack(EVALUATE.inputs),
    output:
        knn=f"<results>/evaluate/{RANDOM_INIT}/{{task}}/knn.json",
        predictions=f"<results>/evaluate/{RANDOM_INIT}/{{task}}/knn.parquet",
        provenance=f"<results>/evaluate/{RANDOM_INIT}/{{task}}/provenance.json",
    log:
        f"<logs>/evaluate/{RANDOM_INIT}/{{task}}.log",
    benchmark:
        f"<benchmarks>/evaluate/{RANDOM_INIT}/{{task}}.tsv"
    params:
        settings=EVALUATE.random_init_settings,
        sources=EVALUATE.sources,
    message:
        "scoring the random {wildcards.arch} of seed {wildcards.seed} on {wildcards.task}"
