"""Audio-visual recognition: one job a checkpoint and paired task (fssuavl tables 4, 5).

A score that an encoder cannot have is no output of its rule: an image specialist hears nothing.
"""

PAIR_SCORES = f"<results>/evaluate/{CELL}/{{task}}"
RANDOM_PAIR_SCORES = f"<results>/evaluate/{RANDOM_INIT}/{{task}}"


rule paired:
    input:
        unpack(
            MEMORY.inputs(
                PAIRED.inputs, PAIRED.settings, record=f"{PAIR_SCORES}/provenance.json"
            )
        ),
    output:
        metrics=expand(
            f"{PAIR_SCORES}/{{protocol}}.json",
            protocol=PAIRED.protocols["both"],
            allow_missing=True,
        ),
        samples=expand(
            f"{PAIR_SCORES}/{{protocol}}.parquet",
            protocol=PAIRED.protocols["both"],
            allow_missing=True,
        ),
        provenance=f"{PAIR_SCORES}/provenance.json",
    log:
        f"<logs>/paired/{CELL}/{{task}}.log",
    benchmark:
        f"<benchmarks>/paired/{CELL}/{{task}}.tsv"
    wildcard_constraints:
        task=one_of(PAIRED.names),
        split=one_of(PAIRED.splits("both")),
    conda:
        "../../envs/fedssl.yaml"
    threads: PAIRED.threads
    params:
        settings=PAIRED.settings,
        sources=PAIRED.sources,
    message:
        "scoring {wildcards.method} {wildcards.arch} {wildcards.aggregator} "
        "{wildcards.split} {wildcards.variant} seed {wildcards.seed} on {wildcards.task}"
    script:
        "../scripts/paired.py"


use rule paired as paired_image with:
    output:
        metrics=expand(
            f"{PAIR_SCORES}/{{protocol}}.json",
            protocol=PAIRED.protocols["image"],
            allow_missing=True,
        ),
        samples=expand(
            f"{PAIR_SCORES}/{{protocol}}.parquet",
            protocol=PAIRED.protocols["image"],
            allow_missing=True,
        ),
        provenance=f"{PAIR_SCORES}/provenance.json",
    wildcard_constraints:
        task=one_of(PAIRED.names),
        split=one_of(PAIRED.splits("image")),


use rule paired as paired_audio with:
    output:
        metrics=expand(
            f"{PAIR_SCORES}/{{protocol}}.json",
            protocol=PAIRED.protocols["audio"],
            allow_missing=True,
        ),
        samples=expand(
            f"{PAIR_SCORES}/{{protocol}}.parquet",
            protocol=PAIRED.protocols["audio"],
            allow_missing=True,
        ),
        provenance=f"{PAIR_SCORES}/provenance.json",
    wildcard_constraints:
        task=one_of(PAIRED.names),
        split=one_of(PAIRED.splits("audio")),


use rule paired as paired_specialists with:
    output:
        metrics=expand(
            f"{PAIR_SCORES}/{{protocol}}.json",
            protocol=PAIRED.protocols["specialists"],
            allow_missing=True,
        ),
        samples=expand(
            f"{PAIR_SCORES}/{{protocol}}.parquet",
            protocol=PAIRED.protocols["specialists"],
            allow_missing=True,
        ),
        provenance=f"{PAIR_SCORES}/provenance.json",
    wildcard_constraints:
        task=one_of(PAIRED.names),
        split=one_of(PAIRED.splits("specialists")),


use rule paired as paired_random_init with:
    input:
        unpack(
            MEMORY.inputs(
                PAIRED.random_init_inputs,
                PAIRED.random_init_settings,
                record=f"{RANDOM_PAIR_SCORES}/provenance.json",
            )
        ),
    output:
        metrics=expand(
            f"{RANDOM_PAIR_SCORES}/{{protocol}}.json",
            protocol=PAIRED.protocols["both"],
            allow_missing=True,
        ),
        samples=expand(
            f"{RANDOM_PAIR_SCORES}/{{protocol}}.parquet",
            protocol=PAIRED.protocols["both"],
            allow_missing=True,
        ),
        provenance=f"{RANDOM_PAIR_SCORES}/provenance.json",
    log:
        f"<logs>/paired/{RANDOM_INIT}/{{task}}.log",
    benchmark:
        f"<benchmarks>/paired/{RANDOM_INIT}/{{task}}.tsv"
    wildcard_constraints:
        task=one_of(PAIRED.names),
    params:
        settings=PAIRED.random_init_settings,
        sources=PAIRED.sources,
    message:
        "scoring the random {wildcards.arch} of seed {wildcards.seed} on {wildcards.task}"
