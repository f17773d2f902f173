"""Tables, figures, claims, certificate and page: nothing here scores a model.

These jobs take seconds, so a cluster's queue would only delay them: they run where Snakemake runs.
"""

# One rule per kind: each has its own names, files and code.
for kind in PRODUCT_KINDS:
    product = product_rule(PLAN, kind)

    rule:
        name:
            kind
        input:
            STALE.rerun(record=product["record"]),
            unpack(product["inputs"]),
        output:
            **reported(kind, product["files"]),
            provenance=product["record"],
        log:
            f"<logs>/{kind}/{{product}}.log",
        wildcard_constraints:
            product=one_of(product["names"]),
        localrule: True
        conda:
            "../../envs/fedssl.yaml"
        params:
            kind=kind,
            spec=product["spec"],
            sources=product["sources"],
        script:
            "../scripts/product.py"


rule claims:
    input:
        STALE.rerun(record=record_of("<results>/claims.csv")),
        claims=local(str(FILES / "config/claims.yaml")),
        published=local(published_files(PLAN)),
        tables=tables(PLAN, "table", "silhouettes"),
        seeds=[seeds_of(csv) for csv in tables(PLAN, "table", "silhouettes")],
    output:
        csv=report(
            "<results>/claims.csv",
            **report_labels("claims", "Claims", "the papers' claims, tested (CSV)"),
        ),
        provenance=record_of("<results>/claims.csv"),
    log:
        "<logs>/claims.log",
    localrule: True
    conda:
        "../../envs/fedssl.yaml"
    params:
        sources=source_digests(SCRIPTS / "claims.py"),
    script:
        "../scripts/claims.py"


rule certificate:
    input:
        STALE.rerun(record=record_of("<results>/certificate.md")),
        tables=tables(PLAN, "table"),
        claims=claims_files(PLAN),
        published=local(published_files(PLAN)),
        lock=local(str(FILES / "requirements.lock")),
        records=records(PLAN),
    output:
        certificate=report(
            "<results>/certificate.md",
            **report_labels("certificate", "Certificate", "certificate (Markdown)"),
        ),
        provenance=record_of("<results>/certificate.md"),
    log:
        "<logs>/certificate.log",
    localrule: True
    conda:
        "../../envs/fedssl.yaml"
    params:
        spec=certificate_spec(PLAN),
        sources=source_digests(SCRIPTS / "certificate.py"),
    script:
        "../scripts/certificate.py"


rule report_page:
    input:
        STALE.rerun(record=record_of("<results>/report/index.html")),
        **page_inputs(PLAN),
        # Templates are not imported, so an edit does not change the digests of the rule's code.
        templates=local(page_templates()),
        records=records(PLAN),
        claims=claims_files(PLAN),
        contradictions=local(str(FILES / "config/contradictions.yaml")),
        published=local(published_files(PLAN)),
        certificate="<results>/certificate.md",
    output:
        page=report(
            "<results>/report/index.html",
            # Snakemake sorts the categories by name; this one is the first.
            **report_labels("page", "All results", "all results on one page"),
        ),
        provenance=record_of("<results>/report/index.html"),
    log:
        "<logs>/report_page.log",
    localrule: True
    conda:
        "../../envs/fedssl.yaml"
    params:
        spec=page_spec(PLAN),
        sources=source_digests(
            SCRIPTS / "report_page.py", *[module_name(kind) for kind in PRODUCT_KINDS]
        ),
    script:
        "../scripts/report_page.py"
