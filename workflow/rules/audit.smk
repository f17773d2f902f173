"""The audit of a finished run, its seal, and the research object."""


rule audit:
    input:
        list(target_files(PLAN).values()),
        claims_files(PLAN),
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
    params:
        moment=moment,
        sources=source_digests(SCRIPTS / "audit.py"),
    script:
        "../scripts/audit.py"


rule crate:
    input:
        products=list(target_files(PLAN).values()),
        certificate="<results>/certificate.md",
        page="<results>/report/index.html",
        code=workflow_files(PLAN),
    output:
        metadata="<results>/ro-crate-metadata.json",
        code=directory("<results>/code"),
        provenance=record_of("<results>/crate.json"),
    log:
        "<logs>/crate.log",
    conda:
        "../../envs/fedssl.yaml"
    resources:
        mem_mb=planned(needs.mem_mb, need=8000),
        runtime=planned(needs.runtime, least=120),
    params:
        spec=crate_spec(PLAN),
        sources=source_digests(SCRIPTS / "crate.py"),
    script:
        "../scripts/crate.py"
