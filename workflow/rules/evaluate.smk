"""Downstream evaluation: one job a checkpoint and task, features computed once."""


def evaluation_settings(wildcards, settings):
    """What a score depends on besides the checkpoint and the bank."""
    evaluation = config["evaluation"]
    return {
        "audio": settings["audio"],
        "encoder": settings["encoder"],
        "image": settings["image"],
        "knn": {key: evaluation["knn"][key] for key in ("k", "temperature")},
        "seed": int(wildcards.seed),
        "split": GRID.task(wildcards.study, wildcards.task).split,
        "threads": evaluation["threads"],
    }


def cell_evaluation(wildcards):
    """The evaluation settings of a cell's checkpoint."""
    return evaluation_settings(wildcards, GRID.settings(cell_of(wildcards)))


def random_init_evaluation(wildcards):
    """The evaluation settings of the encoder that the cells of a variant start from."""
    axes = {axis: wildcards[axis] for axis in ("study", "arch", "variant")}
    return evaluation_settings(wildcards, GRID.settings(GRID.select(**axes)[0]))


def evaluation_sources(wildcards):
    """The code behind a score: the features, the protocols and the encoder."""
    return source_digests(SCRIPTS / "evaluate.py", backbones.module_name(wildcards.arch))


def evaluation_threads():
    """The threads of an evaluation are one of its settings."""
    return config["evaluation"]["threads"]


def task_inputs(wildcards):
    """The task's bank and, for sound, the statistics of the study's pretraining set."""
    inputs = {"bank": TREE.bank(wildcards.task)}
    if DATASETS[wildcards.task]["modality"] == "audio":
        dataset = config["studies"][wildcards.study]["datasets"]["audio"]
        inputs["normalisation"] = TREE.normalisation(wildcards.study, dataset)
    return inputs


rule evaluate:
    input:
        unpack(task_inputs),
        model=f"<results>/pretrain/{CELL}/model.safetensors",
    output:
        knn=f"<results>/evaluate/{CELL}/{{task}}/knn.json",
        predictions=f"<results>/evaluate/{CELL}/{{task}}/knn.parquet",
        provenance=f"<results>/evaluate/{CELL}/{{task}}/provenance.json",
    log:
        f"<logs>/evaluate/{CELL}/{{task}}.log",
    benchmark:
        f"<benchmarks>/evaluate/{CELL}/{{task}}.tsv"
    params:
        settings=cell_evaluation,
        sources=evaluation_sources,
    threads: evaluation_threads()
    message:
        "scoring {wildcards.method} {wildcards.arch} {wildcards.aggregator} "
        "{wildcards.split} {wildcards.variant} seed {wildcards.seed} on {wildcards.task}"
    script:
        "../scripts/evaluate.py"


use rule evaluate as evaluate_random_init with:
    input:
        unpack(task_inputs),
    output:
        knn=f"<results>/evaluate/{RANDOM_INIT}/{{task}}/knn.json",
        predictions=f"<results>/evaluate/{RANDOM_INIT}/{{task}}/knn.parquet",
        provenance=f"<results>/evaluate/{RANDOM_INIT}/{{task}}/provenance.json",
    log:
        f"<logs>/evaluate/{RANDOM_INIT}/{{task}}.log",
    benchmark:
        f"<benchmarks>/evaluate/{RANDOM_INIT}/{{task}}.tsv"
    params:
        settings=random_init_evaluation,
        sources=evaluation_sources,
    message:
        "scoring the random {wildcards.arch} of seed {wildcards.seed} on {wildcards.task}"
