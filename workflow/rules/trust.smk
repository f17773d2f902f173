"""What a run says of itself: bytes sent, a certificate, a research object."""


rule communication:
    input:
        cells=TRUST.communication_inputs,
    output:
        csv=report(
            "<results>/tables/{study}_communication.csv",
            **shown("communication", "{study}_communication", "Tables"),
        ),
        md="<results>/tables/{study}_communication.md",
        pdf="<results>/figures/{study}_communication.pdf",
        png="<results>/figures/{study}_communication.png",
        svg=report(
            "<results>/figures/{study}_communication.svg",
            **shown("communication", "{study}_communication", "Figures"),
        ),
        provenance="<results>/tables/{study}_communication.provenance.json",
    log:
        "<logs>/communication/{study}.log",
    conda:
        "../../envs/fedssl.yaml"
    params:
        spec=TRUST.communication,
        sources=source_digests(SCRIPTS / "communication.py"),
    message:
        "counting the bytes that {wildcards.study} sends"
    script:
        "../scripts/communication.py"


rule certificate:
    input:
        tables=[REPORT.file(table) for table in REPORT.tables],
        claims="<results>/claims.csv",
        published=sorted(map(str, (FILES / "config/published").glob("*.csv"))),
        lock=str(FILES / "requirements.lock"),
        records=TRUST.records(),
    output:
        certificate=report(
            "<results>/certificate.md",
            **shown("certificate", "certificate", "Certificate"),
        ),
        provenance="<results>/certificate.provenance.json",
    log:
        "<logs>/certificate.log",
    conda:
        "../../envs/fedssl.yaml"
    params:
        spec=TRUST.certificate(),
        sources=source_digests(SCRIPTS / "certificate.py"),
    message:
        "certifying what was run"
    script:
        "../scripts/certificate.py"


rule crate:
    input:
        products=[REPORT.files(study) for study in REPORT.studies],
        certificate="<results>/certificate.md",
        page="<results>/report/index.html",
        code=TRUST.code(),
    output:
        metadata="<results>/ro-crate-metadata.json",
        code=directory("<results>/code"),
        provenance="<results>/crate.provenance.json",
    log:
        "<logs>/crate.log",
    conda:
        "../../envs/fedssl.yaml"
    params:
        spec=TRUST.crate(),
        sources=source_digests(SCRIPTS / "crate.py"),
    message:
        "packing the run into a research object"
    script:
        "../scripts/crate.py"
