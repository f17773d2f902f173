"""Audio-visual recognition: one job a checkpoint and paired task (fssuavl tables 4, 5).

A score that an encoder cannot have is no output of its rule: an image specialist hears nothing.
"""

from fedssl.evaluation.plan import fine_tune_state
from fedssl.evaluation.plan_pairs import (
    fine_tune_pair_settings,
    fine_tune_random_pair_settings,
    pair_inputs,
    pair_settings,
    random_init_pair_inputs,
    random_init_pair_settings,
)
from fedssl.grid.paired_protocols import KINDS, splits_of_kind

SPLITS = GRID.values("split")


rule paired:
    input:
        STALE.rerun(planned(pair_settings), record=f"{SCORES}/{RECORD}"),
        planned(bank_arrays, inputs=pair_inputs),
        unpack(planned(pair_inputs)),
    output:
        metrics=protocol_files(SCORES, KINDS["both"], suffix=".json"),
        samples=protocol_files(SCORES, KINDS["both"], suffix=".parquet"),
        provenance=f"{SCORES}/{RECORD}",
    log:
        f"<logs>/paired/{CELL}/{{task}}.log",
    benchmark:
        f"<benchmarks>/paired/{CELL}/{{task}}.tsv"
    wildcard_constraints:
        task=one_of(GRID.pair_names()),
        split=one_of(splits_of_kind("both", SPLITS)),
    conda:
        "../../envs/fedssl.yaml"
    threads: min(config["evaluation"]["threads"], MACHINE.most_threads)
    resources:
        gpu=MACHINE.scoring_gpus,
        mem_mb=planned(needs.score_mem_mb),
        runtime=planned(needs.score_runtime, maps=MAPS),
        turn=1,
    params:
        settings=planned(pair_settings),
        sources=planned(encoder_sources, script="paired.py"),
    script:
        "../scripts/paired.py"


use rule paired as paired_image with:
    output:
        metrics=protocol_files(SCORES, KINDS["image"], suffix=".json"),
        samples=protocol_files(SCORES, KINDS["image"], suffix=".parquet"),
        provenance=f"{SCORES}/{RECORD}",
    wildcard_constraints:
        task=one_of(GRID.pair_names()),
        split=one_of(splits_of_kind("image", SPLITS)),


use rule paired as paired_audio with:
    output:
        metrics=protocol_files(SCORES, KINDS["audio"], suffix=".json"),
        samples=protocol_files(SCORES, KINDS["audio"], suffix=".parquet"),
        provenance=f"{SCORES}/{RECORD}",
    wildcard_constraints:
        task=one_of(GRID.pair_names()),
        split=one_of(splits_of_kind("audio", SPLITS)),


use rule paired as paired_specialists with:
    output:
        metrics=protocol_files(SCORES, KINDS["specialists"], suffix=".json"),
        samples=protocol_files(SCORES, KINDS["specialists"], suffix=".parquet"),
        provenance=f"{SCORES}/{RECORD}",
    wildcard_constraints:
        task=one_of(GRID.pair_names()),
        split=one_of(splits_of_kind("specialists", SPLITS)),


use rule paired as paired_random_init with:
    input:
        STALE.rerun(
            planned(random_init_pair_settings), record=f"{RANDOM_SCORES}/{RECORD}"
        ),
        planned(bank_arrays, inputs=random_init_pair_inputs),
        unpack(planned(random_init_pair_inputs)),
    output:
        metrics=protocol_files(RANDOM_SCORES, KINDS["both"], suffix=".json"),
        samples=protocol_files(RANDOM_SCORES, KINDS["both"], suffix=".parquet"),
        provenance=f"{RANDOM_SCORES}/{RECORD}",
    log:
        f"<logs>/paired/{RANDOM_INIT}/{{task}}.log",
    benchmark:
        f"<benchmarks>/paired/{RANDOM_INIT}/{{task}}.tsv"
    wildcard_constraints:
        task=one_of(GRID.pair_names()),
    params:
        settings=planned(random_init_pair_settings),
        sources=planned(encoder_sources, script="paired.py"),


rule fine_tune_pairs:
    input:
        STALE.rerun(planned(fine_tune_pair_settings), record=record_of(FINE_TUNED)),
        planned(bank_arrays, inputs=pair_inputs),
        unpack(planned(pair_inputs)),
    output:
        metric=FINE_TUNED,
        samples=f"{SCORES}/fine-tune.parquet",
        provenance=record_of(FINE_TUNED),
    log:
        f"<logs>/fine_tune_pairs/{CELL}/{{task}}.log",
    benchmark:
        f"<benchmarks>/fine_tune_pairs/{CELL}/{{task}}.tsv"
    wildcard_constraints:
        task=one_of(GRID.pair_names()),
    conda:
        "../../envs/fedssl.yaml"
    threads: config["evaluation"]["threads"]
    resources:
        gpu=MACHINE.training_gpus,
        mem_mb=planned(needs.score_mem_mb),
        runtime=planned(needs.fine_tune_runtime),
        turn=1,
    params:
        settings=planned(fine_tune_pair_settings),
        sources=planned(encoder_sources, script="fine_tune_pairs.py"),
        state=planned(
            fine_tune_state,
            settings=fine_tune_pair_settings,
            script="fine_tune_pairs.py",
        ),
    script:
        "../scripts/fine_tune_pairs.py"


use rule fine_tune_pairs as fine_tune_pairs_random_init with:
    input:
        STALE.rerun(
            planned(fine_tune_random_pair_settings),
            record=record_of(FINE_TUNED_RANDOM),
        ),
        planned(bank_arrays, inputs=random_init_pair_inputs),
        unpack(planned(random_init_pair_inputs)),
    output:
        metric=FINE_TUNED_RANDOM,
        samples=f"{RANDOM_SCORES}/fine-tune.parquet",
        provenance=record_of(FINE_TUNED_RANDOM),
    log:
        f"<logs>/fine_tune_pairs/{RANDOM_INIT}/{{task}}.log",
    benchmark:
        f"<benchmarks>/fine_tune_pairs/{RANDOM_INIT}/{{task}}.tsv"
    params:
        settings=planned(fine_tune_random_pair_settings),
        sources=planned(encoder_sources, script="fine_tune_pairs.py"),
        state=planned(
            fine_tune_state,
            settings=fine_tune_random_pair_settings,
            script="fine_tune_pairs.py",
        ),
