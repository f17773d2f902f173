"""A rehearsal: a few real steps of each kind of job, where the jobs will run, and the budget."""

from fedssl.rehearsal.plan import (
    EVALUATE,
    FINE_TUNE,
    PRETRAIN,
    budget_command,
    rehearsed_files,
    rehearsed_rules,
    scoring_names,
    training_names,
    training_sources,
)

# One process on one GPU, whatever a pretraining is given.
alone = partial(planned, gpus=MACHINE.training_gpus)
TRAINING_RATES = OUT.rehearsed(PRETRAIN, ANY_CELL)
SCORING_RATES = OUT.rehearsed(EVALUATE, ANY_CELL, "{task}")
FINE_TUNING_RATES = OUT.rehearsed(FINE_TUNE, ANY_CELL, "{task}")


rule rehearse_pretrain:
    input:
        STALE.rerun(record=record_of(TRAINING_RATES)),
        planned(bank_arrays, inputs=pretrain_inputs),
        unpack(planned(pretrain_inputs)),
    output:
        rates=TRAINING_RATES,
        provenance=record_of(TRAINING_RATES),
    log:
        f"<logs>/rehearsal/pretrain/{CELL}.log",
    conda:
        "../../envs/fedssl.yaml"
    threads: alone(needs.pretrain_threads, most=MACHINE.most_threads)
    resources:
        gpu=MACHINE.training_gpus,
        mem_mb=alone(needs.pretrain_mem_mb, state=pretrain_state),
        runtime=planned(needs.runtime),
    params:
        settings=planned(pretrain_settings),
        names=planned(training_names),
        sources=planned(training_sources),
    script:
        "../scripts/rehearse_pretrain.py"


rule rehearse_evaluate:
    input:
        STALE.rerun(record=record_of(SCORING_RATES)),
        planned(bank_arrays, inputs=score_inputs),
        unpack(planned(score_inputs)),
    output:
        rates=SCORING_RATES,
        provenance=record_of(SCORING_RATES),
    log:
        f"<logs>/rehearsal/evaluate/{CELL}/{{task}}.log",
    conda:
        "../../envs/fedssl.yaml"
    threads: min(config["evaluation"]["threads"], MACHINE.most_threads)
    resources:
        gpu=MACHINE.scoring_gpus,
        mem_mb=planned(needs.score_mem_mb),
        runtime=planned(needs.runtime),
    params:
        settings=planned(score_settings),
        names=planned(scoring_names),
        sources=planned(encoder_sources, script="rehearse_evaluate.py"),
    script:
        "../scripts/rehearse_evaluate.py"


rule rehearse_fine_tune:
    input:
        STALE.rerun(record=record_of(FINE_TUNING_RATES)),
        planned(bank_arrays, inputs=score_inputs),
        unpack(planned(score_inputs)),
    output:
        rates=FINE_TUNING_RATES,
        provenance=record_of(FINE_TUNING_RATES),
    log:
        f"<logs>/rehearsal/fine_tune/{CELL}/{{task}}.log",
    conda:
        "../../envs/fedssl.yaml"
    threads: min(config["evaluation"]["threads"], MACHINE.most_threads)
    resources:
        gpu=MACHINE.training_gpus,
        mem_mb=planned(needs.score_mem_mb),
        runtime=planned(needs.runtime),
    params:
        settings=planned(fine_tune_settings),
        round_settings=planned(round_settings),
        rules=planned(rehearsed_rules),
        names=planned(scoring_names),
        sources=planned(encoder_sources, script="rehearse_fine_tune.py"),
    script:
        "../scripts/rehearse_fine_tune.py"


rule rehearsal:
    input:
        STALE.rerun(record=record_of(OUT.rehearsal())),
        list(rehearsed_files(PLAN)),
    output:
        rates=OUT.rehearsal(),
        budget="<results>/budget.csv",
        provenance=record_of(OUT.rehearsal()),
    log:
        "<logs>/rehearsal.log",
    localrule: True
    conda:
        "../../envs/fedssl.yaml"
    params:
        command=budget_command(configfiles, settings),
        sources=source_digests(SCRIPTS / "rehearsal.py"),
    script:
        "../scripts/rehearsal.py"
