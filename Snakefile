"""Lets `snakemake` run in a checkout; the workflow is in workflow/Snakefile."""


include: "workflow/Snakefile"


# Snakemake takes no default target from an included file.
rule default:
    default_target: True
    input:
        rules.all.input,
