"""Every number held against its provenance; only a sound folder gets a seal."""


rule audit:
    input:
        REPORT.all_files,
        "<results>/claims.csv",
    output:
        audit="<results>/audit.json",
        provenance="<results>/audit.provenance.json",
    log:
        "<logs>/audit.log",
    conda:
        "../../envs/fedssl.yaml"
    params:
        moment=REPORT.moment,
        sources=source_digests(SCRIPTS / "audit.py"),
    message:
        "auditing {output.audit}"
    script:
        "../scripts/audit.py"
