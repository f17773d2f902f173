"""Tables and figures: nothing here scores a model, nothing before here knows of a table."""


rule table:
    input:
        metrics=REPORT.table_inputs,
        published=REPORT.published,
    output:
        csv=report(
            "<results>/tables/{table}.csv", **shown("table", "{table}", "Tables")
        ),
        md="<results>/tables/{table}.md",
        tex="<results>/tables/{table}.tex",
        seeds="<results>/tables/{table}.seeds.json",
        provenance="<results>/tables/{table}.provenance.json",
    log:
        "<logs>/table/{table}.log",
    conda:
        "../../envs/fedssl.yaml"
    params:
        spec=REPORT.table,
        sources=source_digests(SCRIPTS / "table.py"),
    message:
        "writing {wildcards.table}"
    script:
        "../scripts/table.py"


rule datasets_table:
    input:
        banks=REPORT.dataset_inputs,
    output:
        csv=report(
            "<results>/tables/datasets.csv",
            **shown("datasets", "datasets", "Tables"),
        ),
        md="<results>/tables/datasets.md",
        tex="<results>/tables/datasets.tex",
        provenance="<results>/tables/datasets.provenance.json",
    log:
        "<logs>/datasets_table.log",
    conda:
        "../../envs/fedssl.yaml"
    params:
        spec=REPORT.datasets,
        sources=source_digests(SCRIPTS / "datasets_table.py"),
    message:
        "counting the datasets"
    script:
        "../scripts/datasets_table.py"


rule gains:
    input:
        metrics=REPORT.gain_inputs,
    output:
        csv=report(
            "<results>/tables/{study}_random_init.csv",
            **shown("gains", "{study}_random_init", "Tables"),
        ),
        md="<results>/tables/{study}_random_init.md",
        provenance="<results>/tables/{study}_random_init.provenance.json",
    log:
        "<logs>/gains/{study}.log",
    conda:
        "../../envs/fedssl.yaml"
    params:
        spec=REPORT.gain,
        sources=source_digests(SCRIPTS / "gains.py"),
    message:
        "comparing {wildcards.study} with random init"
    script:
        "../scripts/gains.py"


rule contrasts:
    input:
        metrics=REPORT.contrast_inputs,
    output:
        csv=report(
            "<results>/tables/{contrast}.csv",
            **shown("contrasts", "{contrast}", "Tables"),
        ),
        md="<results>/tables/{contrast}.md",
        provenance="<results>/tables/{contrast}.provenance.json",
    log:
        "<logs>/contrasts/{contrast}.log",
    conda:
        "../../envs/fedssl.yaml"
    params:
        spec=REPORT.contrast,
        sources=source_digests(SCRIPTS / "contrasts.py"),
    message:
        "comparing cells for {wildcards.contrast}"
    script:
        "../scripts/contrasts.py"


rule rounds_figure:
    input:
        scores=REPORT.rounds_inputs,
    output:
        matrix="<results>/tables/{study}_rounds.csv",
        pdf="<results>/figures/{study}_rounds.pdf",
        png="<results>/figures/{study}_rounds.png",
        svg=report(
            "<results>/figures/{study}_rounds.svg",
            **shown("rounds", "{study}_rounds", "Figures"),
        ),
        provenance="<results>/figures/{study}_rounds.provenance.json",
    log:
        "<logs>/rounds_figure/{study}.log",
    conda:
        "../../envs/fedssl.yaml"
    params:
        spec=REPORT.rounds,
        sources=source_digests(SCRIPTS / "rounds_figure.py"),
    message:
        "drawing the scores per round of {wildcards.study}"
    script:
        "../scripts/rounds_figure.py"


rule loss_figure:
    input:
        rounds=REPORT.loss_inputs,
    output:
        pdf="<results>/figures/{study}_loss.pdf",
        png="<results>/figures/{study}_loss.png",
        svg=report(
            "<results>/figures/{study}_loss.svg",
            **shown("loss", "{study}_loss", "Figures"),
        ),
        provenance="<results>/figures/{study}_loss.provenance.json",
    log:
        "<logs>/loss_figure/{study}.log",
    conda:
        "../../envs/fedssl.yaml"
    params:
        spec=REPORT.loss,
        sources=source_digests(SCRIPTS / "loss_figure.py"),
    message:
        "drawing the loss of {wildcards.study}"
    script:
        "../scripts/loss_figure.py"


rule claims:
    input:
        claims=str(FILES / "config/claims.yaml"),
        schema=str(FILES / "config/schemas/claims.schema.json"),
        published=sorted(map(str, (FILES / "config/published").glob("*.csv"))),
        tables=[*map(TREE.table, REPORT.tables), *MAPS.tables],
        seeds=[*map(TREE.table_seeds, [*REPORT.tables, *MAPS.figures])],
    output:
        csv=report("<results>/claims.csv", **shown("claims", "claims", "Claims")),
        provenance="<results>/claims.provenance.json",
    log:
        "<logs>/claims.log",
    conda:
        "../../envs/fedssl.yaml"
    params:
        sources=source_digests(SCRIPTS / "claims.py"),
    message:
        "holding the papers' claims against the numbers"
    script:
        "../scripts/claims.py"


rule report_page:
    input:
        tables=PAGE.tables,
        figures=PAGE.figures,
        records=TRUST.records(),
        claims="<results>/claims.csv",
        contradictions=str(FILES / "config/contradictions.yaml"),
        schema=str(FILES / "config/schemas/contradictions.schema.json"),
        published=sorted(map(str, (FILES / "config/published").glob("*.csv"))),
        templates=PAGE.templates,
        certificate="<results>/certificate.md",
    output:
        page="<results>/report/index.html",
        provenance="<results>/report/index.provenance.json",
    log:
        "<logs>/report_page.log",
    conda:
        "../../envs/fedssl.yaml"
    params:
        spec=PAGE.spec(LAYERS, shipped=len(SHIPPED)),
        sources=source_digests(SCRIPTS / "report_page.py"),
    message:
        "writing the report page"
    script:
        "../scripts/report_page.py"
