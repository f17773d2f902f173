"""Downstream evaluation: one job a checkpoint and task, features computed once."""

SCORES = f"<results>/evaluate/{CELL}/{{task}}"
RANDOM_SCORES = f"<results>/evaluate/{RANDOM_INIT}/{{task}}"


rule evaluate:
    input:
        unpack(
            MEMORY.inputs(
                EVALUATE.inputs, EVALUATE.settings, record=f"{SCORES}/provenance.json"
            )
        ),
        model=f"<results>/pretrain/{CELL}/model.safetensors",
    output:
        metrics=expand(
            f"{SCORES}/{{protocol}}.json",
            protocol=EVALUATE.protocols,
            allow_missing=True,
        ),
        samples=expand(
            f"{SCORES}/{{protocol}}.parquet",
            protocol=EVALUATE.protocols,
            allow_missing=True,
        ),
        provenance=f"{SCORES}/provenance.json",
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
        unpack(
            MEMORY.inputs(
                EVALUATE.inputs,
                EVALUATE.random_init_settings,
                record=f"{RANDOM_SCORES}/provenance.json",
            )
        ),
    output:
        metrics=expand(
            f"{RANDOM_SCORES}/{{protocol}}.json",
            protocol=EVALUATE.protocols,
            allow_missing=True,
        ),
        samples=expand(
            f"{RANDOM_SCORES}/{{protocol}}.parquet",
            protocol=EVALUATE.protocols,
            allow_missing=True,
        ),
        provenance=f"{RANDOM_SCORES}/provenance.json",
    log:
        f"<logs>/evaluate/{RANDOM_INIT}/{{task}}.log",
    benchmark:
        f"<benchmarks>/evaluate/{RANDOM_INIT}/{{task}}.tsv"
    params:
        settings=EVALUATE.random_init_settings,
        sources=EVALUATE.sources,
    message:
        "scoring the random {wildcards.arch} of seed {wildcards.seed} on {wildcards.task}"


rule score_rounds:
    input:
        unpack(
            MEMORY.inputs(
                EVALUATE.inputs,
                EVALUATE.round_settings,
                record=f"{SCORES}/rounds.provenance.json",
            )
        ),
        milestones=f"<results>/pretrain/{CELL}/milestones",
    output:
        scores=f"{SCORES}/rounds.csv",
        samples=f"{SCORES}/rounds.parquet",
        best_round=f"{SCORES}/best-round.json",
        best_round_samples=f"{SCORES}/best-round.parquet",
        held_out_round=f"{SCORES}/held-out-round.json",
        held_out_round_samples=f"{SCORES}/held-out-round.parquet",
        best=f"<results>/pretrain/{CELL}/best/{{task}}.safetensors",
        provenance=f"{SCORES}/rounds.provenance.json",
    log:
        f"<logs>/score_rounds/{CELL}/{{task}}.log",
    benchmark:
        f"<benchmarks>/score_rounds/{CELL}/{{task}}.tsv"
    conda:
        "../../envs/fedssl.yaml"
    threads: EVALUATE.threads
    params:
        settings=EVALUATE.round_settings,
        sources=EVALUATE.round_sources,
    message:
        "scoring the rounds of {wildcards.method} {wildcards.arch} {wildcards.aggregator} "
        "{wildcards.split} {wildcards.variant} seed {wildcards.seed} on {wildcards.task}"
    script:
        "../scripts/score_rounds.py"


rule fine_tune:
    input:
        unpack(
            MEMORY.inputs(
                EVALUATE.inputs,
                EVALUATE.fine_tune_settings,
                record=f"{SCORES}/fine-tune.provenance.json",
            )
        ),
        model=f"<results>/pretrain/{CELL}/model.safetensors",
    output:
        metric=f"{SCORES}/fine-tune.json",
        samples=f"{SCORES}/fine-tune.parquet",
        provenance=f"{SCORES}/fine-tune.provenance.json",
    log:
        f"<logs>/fine_tune/{CELL}/{{task}}.log",
    benchmark:
        f"<benchmarks>/fine_tune/{CELL}/{{task}}.tsv"
    conda:
        "../../envs/fedssl.yaml"
    threads: EVALUATE.threads
    params:
        settings=EVALUATE.fine_tune_settings,
        sources=EVALUATE.fine_tune_sources,
    message:
        "fine-tuning {wildcards.method} {wildcards.arch} {wildcards.aggregator} "
        "{wildcards.split} {wildcards.variant} seed {wildcards.seed} on {wildcards.task}"
    script:
        "../scripts/fine_tune.py"
