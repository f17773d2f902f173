"""Downstream evaluation: one job a checkpoint and task, features computed once."""

from fedssl.evaluation.plan import (
    encoder_sources,
    fine_tune_random_settings,
    fine_tune_settings,
    fine_tune_state,
    random_init_settings,
    recalibrated_settings,
    round_inputs,
    round_settings,
    round_state,
    score_inputs,
    score_settings,
)
from fedssl.grid.paths import FEATURE_PROTOCOLS, RECALIBRATED, protocol_files

SCORES = OUT.scores(ANY_CELL, "{task}")
RANDOM_SCORES = OUT.random_init_scores(ANY_CELL, "{task}")
ROUND_SCORES = OUT.round_scores(ANY_CELL, "{task}")
ROUND_FILES = {
    "scores": ROUND_SCORES,
    "samples": f"{SCORES}/rounds.parquet",
    "best_round": f"{SCORES}/best-round.json",
    "best_round_samples": f"{SCORES}/best-round.parquet",
    "held_out_round": f"{SCORES}/held-out-round.json",
    "held_out_round_samples": f"{SCORES}/held-out-round.parquet",
}
FINE_TUNED = OUT.metric(ANY_CELL, "{task}", "fine-tune")
FINE_TUNED_RANDOM = OUT.random_init_metric(ANY_CELL, "{task}", "fine-tune")
RECALIBRATED_SCORE = OUT.metric(ANY_CELL, "{task}", RECALIBRATED)
# Maps are scored together with the tasks of their checkpoint.
MAPS = len(map_panels.checkpoints(PLAN))


rule evaluate:
    input:
        STALE.rerun(planned(score_settings), record=f"{SCORES}/{RECORD}"),
        planned(bank_arrays, inputs=score_inputs),
        unpack(planned(score_inputs)),
        model=OUT.model(ANY_CELL),
    output:
        metrics=protocol_files(SCORES, FEATURE_PROTOCOLS, suffix=".json"),
        samples=protocol_files(SCORES, FEATURE_PROTOCOLS, suffix=".parquet"),
        provenance=f"{SCORES}/{RECORD}",
    log:
        f"<logs>/evaluate/{CELL}/{{task}}.log",
    benchmark:
        f"<benchmarks>/evaluate/{CELL}/{{task}}.tsv"
    conda:
        "../../envs/fedssl.yaml"
    threads: min(config["evaluation"]["threads"], MACHINE.most_threads)
    resources:
        gpu=MACHINE.scoring_gpus,
        mem_mb=planned(needs.score_mem_mb),
        runtime=planned(needs.score_runtime, maps=MAPS),
        turn=1,
    params:
        settings=planned(score_settings),
        sources=planned(encoder_sources, script="evaluate.py"),
    script:
        "../scripts/evaluate.py"


use rule evaluate as evaluate_random_init with:
    input:
        STALE.rerun(planned(random_init_settings), record=f"{RANDOM_SCORES}/{RECORD}"),
        planned(bank_arrays, inputs=score_inputs),
        unpack(planned(score_inputs)),
    output:
        metrics=protocol_files(RANDOM_SCORES, FEATURE_PROTOCOLS, suffix=".json"),
        samples=protocol_files(RANDOM_SCORES, FEATURE_PROTOCOLS, suffix=".parquet"),
        provenance=f"{RANDOM_SCORES}/{RECORD}",
    log:
        f"<logs>/evaluate/{RANDOM_INIT}/{{task}}.log",
    benchmark:
        f"<benchmarks>/evaluate/{RANDOM_INIT}/{{task}}.tsv"
    params:
        settings=planned(random_init_settings),
        sources=planned(encoder_sources, script="evaluate.py"),


rule evaluate_recalibrated:
    input:
        STALE.rerun(
            planned(recalibrated_settings), record=record_of(RECALIBRATED_SCORE)
        ),
        planned(bank_arrays, inputs=score_inputs),
        unpack(planned(score_inputs)),
        model=OUT.model(ANY_CELL),
    output:
        metric=RECALIBRATED_SCORE,
        samples=f"{SCORES}/{RECALIBRATED}.parquet",
        provenance=record_of(RECALIBRATED_SCORE),
    log:
        f"<logs>/evaluate_recalibrated/{CELL}/{{task}}.log",
    benchmark:
        f"<benchmarks>/evaluate_recalibrated/{CELL}/{{task}}.tsv"
    conda:
        "../../envs/fedssl.yaml"
    threads: config["evaluation"]["threads"]
    resources:
        gpu=MACHINE.scoring_gpus,
        mem_mb=planned(needs.score_mem_mb),
        runtime=planned(needs.score_runtime, maps=MAPS),
        turn=1,
    params:
        settings=planned(recalibrated_settings),
        sources=planned(encoder_sources, script="evaluate_recalibrated.py"),
    script:
        "../scripts/evaluate_recalibrated.py"


rule score_rounds:
    input:
        STALE.rerun(planned(round_settings), record=record_of(ROUND_SCORES)),
        planned(bank_arrays, inputs=round_inputs),
        unpack(planned(round_inputs)),
        milestones=OUT.milestones(ANY_CELL),
        model=OUT.model(ANY_CELL),
    output:
        **ROUND_FILES,
        best=OUT.best(ANY_CELL, "{task}"),
        provenance=record_of(ROUND_SCORES),
    log:
        f"<logs>/score_rounds/{CELL}/{{task}}.log",
    benchmark:
        f"<benchmarks>/score_rounds/{CELL}/{{task}}.tsv"
    conda:
        "../../envs/fedssl.yaml"
    threads: min(config["evaluation"]["threads"], MACHINE.most_threads)
    resources:
        gpu=MACHINE.training_gpus,
        mem_mb=planned(needs.score_mem_mb),
        runtime=planned(needs.rounds_runtime, gpu=MACHINE.training_gpus > 0),
        turn=1,
    params:
        settings=planned(round_settings),
        sources=planned(encoder_sources, script="score_rounds.py"),
        shared_state=planned(round_state),  # `state` would let one job at a time write
    script:
        "../scripts/score_rounds.py"


rule fine_tune:
    input:
        STALE.rerun(planned(fine_tune_settings), record=record_of(FINE_TUNED)),
        planned(bank_arrays, inputs=score_inputs),
        unpack(planned(score_inputs)),
        model=OUT.model(ANY_CELL),
    output:
        metric=FINE_TUNED,
        samples=f"{SCORES}/fine-tune.parquet",
        provenance=record_of(FINE_TUNED),
    log:
        f"<logs>/fine_tune/{CELL}/{{task}}.log",
    benchmark:
        f"<benchmarks>/fine_tune/{CELL}/{{task}}.tsv"
    conda:
        "../../envs/fedssl.yaml"
    threads: min(config["evaluation"]["threads"], MACHINE.most_threads)
    resources:
        gpu=MACHINE.training_gpus,
        mem_mb=planned(needs.score_mem_mb),
        runtime=planned(needs.fine_tune_runtime),
        turn=1,
    params:
        settings=planned(fine_tune_settings),
        sources=planned(encoder_sources, script="fine_tune.py"),
        state=planned(
            fine_tune_state, settings=fine_tune_settings, script="fine_tune.py"
        ),
    script:
        "../scripts/fine_tune.py"


use rule fine_tune as fine_tune_random_init with:
    input:
        STALE.rerun(
            planned(fine_tune_random_settings), record=record_of(FINE_TUNED_RANDOM)
        ),
        planned(bank_arrays, inputs=score_inputs),
        unpack(planned(score_inputs)),
    output:
        metric=FINE_TUNED_RANDOM,
        samples=f"{RANDOM_SCORES}/fine-tune.parquet",
        provenance=record_of(FINE_TUNED_RANDOM),
    log:
        f"<logs>/fine_tune/{RANDOM_INIT}/{{task}}.log",
    benchmark:
        f"<benchmarks>/fine_tune/{RANDOM_INIT}/{{task}}.tsv"
    params:
        settings=planned(fine_tune_random_settings),
        sources=planned(encoder_sources, script="fine_tune.py"),
        state=planned(
            fine_tune_state, settings=fine_tune_random_settings, script="fine_tune.py"
        ),
