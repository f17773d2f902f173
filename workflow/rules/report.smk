"""Tables and figures: nothing here computes a score, nothing before here knows of a table."""

from fedssl import specs


def table_parameters(wildcards):
    """A table's rows, columns and where each number comes from."""
    return specs.table_spec(GRID, wildcards.table, TREE)


def table_inputs(wildcards):
    """Every metric file a table reads."""
    return specs.table_inputs(GRID, wildcards.table, TREE)


def gains_parameters(wildcards):
    """Which scores to compare with the random encoder's."""
    return specs.gains_spec(GRID, wildcards.study, TREE)


def gains_inputs(wildcards):
    """Every metric file the comparison reads."""
    return specs.gains_inputs(GRID, wildcards.study, TREE)


def loss_parameters(wildcards):
    """The curves of a study's loss figure."""
    return specs.loss_figure_spec(GRID, wildcards.study, TREE)


def loss_inputs(wildcards):
    """The history of each cell of a study."""
    return [TREE.rounds(cell) for cell in GRID.select(study=wildcards.study)]


rule table:
    input:
        metrics=table_inputs,
        published=f"{BASE}/config/published/{{table}}.csv",
    output:
        csv="<results>/tables/{table}.csv",
        md="<results>/tables/{table}.md",
        tex="<results>/tables/{table}.tex",
        provenance="<results>/tables/{table}.provenance.json",
    log:
        "<logs>/table/{table}.log",
    params:
        spec=table_parameters,
        sources=source_digests(SCRIPTS / "table.py"),
    message:
        "writing {wildcards.table}"
    script:
        "../scripts/table.py"


rule gains:
    input:
        metrics=gains_inputs,
    output:
        csv="<results>/tables/{study}_random_init.csv",
        md="<results>/tables/{study}_random_init.md",
        provenance="<results>/tables/{study}_random_init.provenance.json",
    log:
        "<logs>/gains/{study}.log",
    params:
        spec=gains_parameters,
        sources=source_digests(SCRIPTS / "gains.py"),
    message:
        "comparing {wildcards.study} with random init"
    script:
        "../scripts/gains.py"


rule loss_figure:
    input:
        rounds=loss_inputs,
    output:
        pdf="<results>/figures/{study}_loss.pdf",
        png="<results>/figures/{study}_loss.png",
        svg="<results>/figures/{study}_loss.svg",
        provenance="<results>/figures/{study}_loss.provenance.json",
    log:
        "<logs>/loss_figure/{study}.log",
    params:
        spec=loss_parameters,
        sources=source_digests(SCRIPTS / "loss_figure.py"),
    message:
        "drawing the loss of {wildcards.study}"
    script:
        "../scripts/loss_figure.py"
