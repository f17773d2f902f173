"""Federated self-supervised learning: from raw archives to tables and figures."""

from snakemake.utils import min_version

min_version("9.27")


report: "workflow/report/workflow.rst"


include: "workflow/rules/checkout.smk"


configfile: "config/config.yaml"
configfile: "config/experiments.yaml"
configfile: "config/datasets.yaml"


include: "workflow/rules/common.smk"


pathvars:
    data=config["data_dir"],
    results=config["results_dir"],
    logs=f"{config['results_dir']}/logs",
    benchmarks=f"{config['results_dir']}/benchmarks",


include: "workflow/rules/targets.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/shards.smk"
include: "workflow/rules/pretrain.smk"
include: "workflow/rules/evaluate.smk"
include: "workflow/rules/paired.smk"
include: "workflow/rules/maps.smk"
include: "workflow/rules/paper.smk"
include: "workflow/rules/audit.smk"
include: "workflow/rules/requests.smk"


rule all:
    input:
        list(target_files(PLAN).values()),
        "<results>/claims.csv",
        "<results>/certificate.md",
        "<results>/tables/datasets.csv",
        "<results>/report/index.html",
