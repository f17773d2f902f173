"""Archives to memory-mapped banks."""


# Where Snakemake itself runs: compute nodes often have no internet.
localrules:
    acquire,
    download,


ruleorder: download > acquire


rule acquire:
    output:
        archive=update("<data>/archives/{dataset}/{file}"),
        provenance="<data>/archives/{dataset}/{file}.provenance.json",
    log:
        "<logs>/acquire/{dataset}/{file}.log",
    wildcard_constraints:
        dataset=one_of(DATA.made_up(synthetic=False)),
        file=one_of(DATA.files),
    retries: 2
    conda:
        "../../envs/fedssl.yaml"
    params:
        content=DATA.content,
        # Names only: an edit of the code does not fetch a verified archive again.
        sources=["acquire.py", "fedssl.data.fetch.acquire"],
    message:
        "fetching {wildcards.file} of {wildcards.dataset}"
    script:
        "../scripts/acquire.py"


rule download:
    input:
        annotations="<data>/archives/{dataset}/vggsound.csv",
    output:
        listing="<data>/archives/{dataset}/clips.txt",
        manifest="<data>/archives/{dataset}/clips.csv",
        provenance="<data>/archives/{dataset}/clips.txt.provenance.json",
    log:
        "<logs>/download/{dataset}.log",
    wildcard_constraints:
        dataset=one_of(DATA.downloaded),
    conda:
        "../../envs/fedssl.yaml"
    params:
        settings=DATA.download_settings,
        # Names only: an edit of the code does not ask again for what was had.
        sources=["download.py", "fedssl.data.fetch.clip_download"],
    message:
        "fetching the clips of {wildcards.dataset}, one by one"
    script:
        "../scripts/download.py"


rule synthesise:
    output:
        archive="<data>/archives/{dataset}/{file}",
        provenance="<data>/archives/{dataset}/{file}.provenance.json",
    log:
        "<logs>/synthesise/{dataset}/{file}.log",
    wildcard_constraints:
        dataset=one_of(DATA.made_up(synthetic=True)),
        file=one_of(DATA.files),
    conda:
        "../../envs/fedssl.yaml"
    params:
        key=DATA.key,
        contents=DATA.plan,
        sources=source_digests(SCRIPTS / "synthesise.py"),
    message:
        "making up {wildcards.file} of {wildcards.dataset}"
    script:
        "../scripts/synthesise.py"


rule bank_images:
    input:
        unpack(
            MEMORY.inputs(
                DATA.archives,
                DATA.contents,
                record="<results>/banks/{dataset}/provenance.json",
            )
        ),
    output:
        bank="<results>/banks/{dataset}/bank.json",
        images="<results>/banks/{dataset}/images.npy",
        labels="<results>/banks/{dataset}/labels.npy",
        index="<results>/banks/{dataset}/index.parquet",
        provenance="<results>/banks/{dataset}/provenance.json",
    log:
        "<logs>/bank/{dataset}.log",
    benchmark:
        "<benchmarks>/bank/{dataset}.tsv"
    wildcard_constraints:
        dataset=one_of(DATA.names(modality="image")),
    conda:
        "../../envs/fedssl.yaml"
    threads: DATA.threads
    params:
        contents=DATA.contents,
        sources=DATA.bank_sources,
        state=DATA.bank_state,
    message:
        "reading {wildcards.dataset} into a bank"
    script:
        "../scripts/bank.py"


use rule bank_images as bank_waveforms with:
    output:
        bank="<results>/banks/{dataset}/bank.json",
        waveforms="<results>/banks/{dataset}/waveforms.npy",
        offsets="<results>/banks/{dataset}/offsets.npy",
        labels="<results>/banks/{dataset}/labels.npy",
        index="<results>/banks/{dataset}/index.parquet",
        provenance="<results>/banks/{dataset}/provenance.json",
    wildcard_constraints:
        dataset=one_of(DATA.names(modality="audio")),


rule normalisation:
    input:
        bank=MEMORY.inputs(
            PRETRAIN.bank,
            DATA.recorded_audio,
            record="<results>/normalisation/{study}/{dataset}.provenance.json",
        ),
    output:
        statistics="<results>/normalisation/{study}/{dataset}.json",
        provenance="<results>/normalisation/{study}/{dataset}.provenance.json",
    log:
        "<logs>/normalisation/{study}/{dataset}.log",
    conda:
        "../../envs/fedssl.yaml"
    params:
        settings=DATA.audio,
        sources=source_digests(SCRIPTS / "normalisation.py"),
    message:
        "measuring the log-mel mean and deviation of {wildcards.dataset}"
    script:
        "../scripts/normalisation.py"
