"""The papers' figures: maps of an encoder's features, and tables drawn as curves."""

MAP = f"<results>/maps/{CELL}/{{checkpoint}}"


rule embedding_map:
    input:
        STALE.rerun(MAPS.settings, record=f"{MAP}.{RECORD}"),
        unpack(MAPS.inputs),
    output:
        points=f"{MAP}.parquet",
        summary=f"{MAP}.json",
        provenance=f"{MAP}.provenance.json",
    log:
        f"<logs>/embedding_map/{CELL}/{{checkpoint}}.log",
    benchmark:
        f"<benchmarks>/embedding_map/{CELL}/{{checkpoint}}.tsv"
    wildcard_constraints:
        checkpoint=one_of(MAPS.checkpoints),
    conda:
        "../../envs/fedssl.yaml"
    threads: MAPS.threads
    params:
        checkpoint=MAPS.checkpoint,
        settings=MAPS.settings,
        sources=MAPS.sources,
    message:
        "mapping {wildcards.checkpoint} of {wildcards.method} {wildcards.arch} "
        "{wildcards.aggregator} {wildcards.split} {wildcards.variant} seed {wildcards.seed}"
    script:
        "../scripts/embedding_map.py"


rule silhouettes:
    input:
        summaries=MAPS.summaries,
    output:
        csv=report(
            "<results>/tables/{figure}.csv",
            **shown("silhouettes", "{figure}", "Tables"),
        ),
        md="<results>/tables/{figure}.md",
        tex="<results>/tables/{figure}.tex",
        seeds="<results>/tables/{figure}.seeds.json",
        provenance="<results>/tables/{figure}.provenance.json",
    log:
        "<logs>/silhouettes/{figure}.log",
    wildcard_constraints:
        figure=one_of(MAPS.figures),
    conda:
        "../../envs/fedssl.yaml"
    params:
        spec=MAPS.figure,
        sources=source_digests(SCRIPTS / "silhouettes.py"),
    message:
        "writing the silhouettes behind {wildcards.figure}"
    script:
        "../scripts/silhouettes.py"


rule map_figure:
    input:
        points=MAPS.points,
        table="<results>/tables/{figure}.csv",
    output:
        pdf="<results>/figures/{figure}.pdf",
        png="<results>/figures/{figure}.png",
        svg=report(
            "<results>/figures/{figure}.svg",
            **shown("maps", "{figure}", "Figures"),
        ),
        provenance="<results>/figures/{figure}.provenance.json",
    log:
        "<logs>/map_figure/{figure}.log",
    wildcard_constraints:
        figure=one_of(MAPS.figures),
    conda:
        "../../envs/fedssl.yaml"
    params:
        spec=MAPS.figure,
        sources=source_digests(SCRIPTS / "map_figure.py"),
    message:
        "drawing {wildcards.figure}"
    script:
        "../scripts/map_figure.py"


rule sweep_figure:
    input:
        tables=SWEEPS.tables,
        records=SWEEPS.records,
        metrics=SWEEPS.metrics,
    output:
        pdf="<results>/figures/{figure}.pdf",
        png="<results>/figures/{figure}.png",
        svg=report(
            "<results>/figures/{figure}.svg",
            **shown("sweeps", "{figure}", "Figures"),
        ),
        provenance="<results>/figures/{figure}.provenance.json",
    log:
        "<logs>/sweep_figure/{figure}.log",
    wildcard_constraints:
        figure=one_of(SWEEPS.figures),
    conda:
        "../../envs/fedssl.yaml"
    params:
        spec=SWEEPS.figure,
        sources=source_digests(SCRIPTS / "sweep_figure.py"),
    message:
        "drawing {wildcards.figure}"
    script:
        "../scripts/sweep_figure.py"
