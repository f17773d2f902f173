"""Maps of a checkpoint's features, which the figures of maps show."""

MAP = f"<results>/maps/{CELL}/{{checkpoint}}"


rule embedding_map:
    input:
        STALE.rerun(planned(map_panels.map_settings), record=record_of(f"{MAP}.json")),
        planned(bank_arrays, inputs=map_panels.map_inputs),
        unpack(planned(map_panels.map_inputs)),
    output:
        points=f"{MAP}.parquet",
        summary=f"{MAP}.json",
        provenance=record_of(f"{MAP}.json"),
    log:
        f"<logs>/embedding_map/{CELL}/{{checkpoint}}.log",
    benchmark:
        f"<benchmarks>/embedding_map/{CELL}/{{checkpoint}}.tsv"
    wildcard_constraints:
        checkpoint=one_of(map_panels.checkpoints(PLAN)),
    conda:
        "../../envs/fedssl.yaml"
    threads: min(config["evaluation"]["threads"], MACHINE.most_threads)
    resources:
        gpu=MACHINE.scoring_gpus,
        mem_mb=planned(needs.mem_mb, need=8000),
        runtime=planned(needs.map_runtime, maps=MAPS),
        turn=1,
    params:
        checkpoint=planned(map_panels.map_checkpoint),
        settings=planned(map_panels.map_settings),
        sources=planned(map_panels.map_sources),
    script:
        "../scripts/embedding_map.py"
