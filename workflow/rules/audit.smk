"""The audit of a finished run, its seal, and the research object."""

from fedssl.grid.snakemake_api import offer

# One at a time of the jobs that read all results: each would find the other's files unfinished.
offer(workflow, whole_results=1)


rule audit:
    input:
        STALE.rerun(record=record_of("<results>/audit.json")),
        list(target_files(PLAN).values()),
        # A file whose job has not finished would be one that no record lists.
        final_files(PLAN),
    output:
        audit="<results>/audit.json",
        provenance=record_of("<results>/audit.json"),
    log:
        "<logs>/audit.log",
    conda:
        "../../envs/fedssl.yaml"
    resources:
        mem_mb=planned(needs.mem_mb, need=8000),
        runtime=planned(needs.runtime, least=120),
        whole_results=1,
    params:
        moment=moment,
        sources=source_digests(SCRIPTS / "audit.py"),
    script:
        "../scripts/audit.py"


rule crate:
    input:
        STALE.rerun(record=record_of("<results>/crate.json")),
        products=list(target_files(PLAN).values()),
        certificate="<results>/certificate.md",
        page="<results>/report/index.html",
        code=local(list(map(str, workflow_files(PLAN)))),
    output:
        metadata="<results>/ro-crate-metadata.json",
        preview="<results>/ro-crate-preview.html",
        code=directory("<results>/code"),
        provenance=record_of("<results>/crate.json"),
    log:
        "<logs>/crate.log",
    priority: 1  # the audit checks the crate, which does not describe the audit
    conda:
        "../../envs/fedssl.yaml"
    resources:
        mem_mb=planned(needs.mem_mb, need=8000),
        runtime=planned(needs.runtime, least=120),
        whole_results=1,
    params:
        spec=crate_spec(PLAN),
        sources=source_digests(SCRIPTS / "crate.py"),
    script:
        "../scripts/crate.py"
