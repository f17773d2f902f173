"""Maps of a checkpoint's features, which the figures of maps show."""

MAP = f"<results>/maps/{CELL}/{{checkpoint}}"


rule embedding_map:
    input:
        unpack(
            MEMORY.inputs(
                ask(map_panels.map_inputs),
                ask(map_panels.map_settings),
                record=f"{MAP}.provenance.json",
            )
        ),
    output:
        points=f"{MAP}.parquet",
        summary=f"{MAP}.json",
        provenance=f"{MAP}.provenance.json",
    log:
        f"<logs>/embedding_map/{CELL}/{{checkpoint}}.log",
    benchmark:
        f"<benchmarks>/embedding_map/{CELL}/{{checkpoint}}.tsv"
    wildcard_constraints:
        checkpoint=one_of(map_panels.checkpoints(PLAN)),
    conda:
        "../../envs/fedssl.yaml"
    threads: config["evaluation"]["threads"]
    params:
        checkpoint=ask(map_panels.map_checkpoint),
        settings=ask(map_panels.map_settings),
        sources=ask(map_panels.map_sources),
    script:
        "../scripts/embedding_map.py"
