"""Named targets: everything, a study, one table, one figure."""

STUDIES = list(config["studies"])
TABLES = list(config["tables"])
FIGURES = [f"{study}_loss" for study in STUDIES]
GAINS = [f"{study}_random_init" for study in STUDIES]


def products(*studies):
    """Every table and figure of some studies."""
    names = [name for name in (*TABLES, *GAINS) if name.startswith(studies)]
    figures = [name for name in FIGURES if name.startswith(studies)]
    return [
        *(f"<results>/tables/{name}.csv" for name in names),
        *(f"<results>/figures/{name}.pdf" for name in figures),
    ]


for target in STUDIES:

    rule:
        name:
            target
        input:
            products(target),


for target in (*TABLES, *GAINS):

    rule:
        name:
            target
        input:
            f"<results>/tables/{target}.csv",


for target in FIGURES:

    rule:
        name:
            target
        input:
            f"<results>/figures/{target}.pdf",


try:
    check_targets(
        TARGETS,
        GRID,
        TREE,
        named=["all", *STUDIES, *TABLES, *GAINS, *FIGURES],
    )
except UserError as error:
    raise WorkflowError(str(error))
