"""Archives to memory-mapped banks."""

from fedssl.data.plan import (
    archive_content,
    archive_key,
    archived_datasets,
    bank_contents,
    bank_inputs,
    bank_sources,
    bank_state,
    dataset_counts,
    datasets_of,
    download_settings,
    statistics_settings,
)
from fedssl.grid.paths import archive_record

ARCHIVE = "<data>/archives/{dataset}/{file}"
CLIPS = "<data>/archives/{dataset}/clips.txt"
BANK = OUT.bank("{dataset}")
EXAMPLES = OUT.examples("{dataset}")
STATISTICS = OUT.normalisation("{study}", "{dataset}")


ruleorder: download > acquire


rule acquire:
    output:
        archive=update(ARCHIVE),
        provenance=archive_record(ARCHIVE),
    log:
        "<logs>/acquire/{dataset}/{file}.log",
    wildcard_constraints:
        dataset=one_of(archived_datasets(PLAN, synthetic=False)),
        file=one_of(ARCHIVES),
    retries: 2
    localrule: True  # compute nodes often have no internet
    conda:
        "../../envs/fedssl.yaml"
    params:
        content=planned(archive_content),
        # Names only: an edit of the code does not fetch a verified archive again.
        sources=["acquire.py", "fedssl.data.fetch.acquire"],
    script:
        "../scripts/acquire.py"


rule download:
    input:
        annotations="<data>/archives/{dataset}/vggsound.csv",
    output:
        listing=CLIPS,
        manifest="<data>/archives/{dataset}/clips.csv",
        provenance=archive_record(CLIPS),
    log:
        "<logs>/download/{dataset}.log",
    wildcard_constraints:
        dataset=one_of(config["downloads"]["datasets"]),
    localrule: True  # as `acquire`
    conda:
        "../../envs/fedssl.yaml"
    params:
        settings=planned(download_settings),
        # Names only: an edit of the code does not ask again for what was had.
        sources=["download.py", "fedssl.data.fetch.clip_download"],
    script:
        "../scripts/download.py"


rule synthesise:
    output:
        archive=ARCHIVE,
        provenance=archive_record(ARCHIVE),
    log:
        "<logs>/synthesise/{dataset}/{file}.log",
    wildcard_constraints:
        dataset=one_of(archived_datasets(PLAN, synthetic=True)),
        file=one_of(ARCHIVES),
    conda:
        "../../envs/fedssl.yaml"
    resources:
        mem_mb=planned(needs.mem_mb),
        runtime=planned(needs.runtime),
    params:
        key=planned(archive_key),
        contents=planned(dataset_counts),
        sources=source_digests(SCRIPTS / "synthesise.py"),
    script:
        "../scripts/synthesise.py"


rule bank_images:
    input:
        STALE.rerun(planned(bank_contents), record=folder_record(BANK)),
        unpack(planned(bank_inputs)),
    output:
        bank=BANK,
        images=OUT.bank_file("{dataset}", "images.npy"),
        labels=OUT.bank_file("{dataset}", "labels.npy"),
        index=OUT.bank_file("{dataset}", "index.parquet"),
        provenance=folder_record(BANK),
    log:
        "<logs>/bank/{dataset}.log",
    benchmark:
        "<benchmarks>/bank/{dataset}.tsv"
    wildcard_constraints:
        dataset=one_of(datasets_of(PLAN, modality="image")),
    conda:
        "../../envs/fedssl.yaml"
    threads: config["banks"]["threads"]
    resources:
        mem_mb=planned(needs.bank_mem_mb, state=bank_state),
        runtime=planned(needs.bank_runtime),
    params:
        contents=planned(bank_contents),
        sources=planned(bank_sources),
        state=planned(bank_state),
    script:
        "../scripts/bank.py"


use rule bank_images as bank_waveforms with:
    output:
        bank=BANK,
        waveforms=OUT.bank_file("{dataset}", "waveforms.npy"),
        offsets=OUT.bank_file("{dataset}", "offsets.npy"),
        labels=OUT.bank_file("{dataset}", "labels.npy"),
        index=OUT.bank_file("{dataset}", "index.parquet"),
        provenance=folder_record(BANK),
    wildcard_constraints:
        dataset=one_of(datasets_of(PLAN, modality="audio")),


rule normalisation:
    input:
        STALE.rerun(planned(statistics_settings), record=record_of(STATISTICS)),
        planned(bank_arrays, inputs=dataset_bank),
        unpack(planned(dataset_bank)),
    output:
        statistics=STATISTICS,
        provenance=record_of(STATISTICS),
    log:
        "<logs>/normalisation/{study}/{dataset}.log",
    conda:
        "../../envs/fedssl.yaml"
    resources:
        mem_mb=planned(needs.mem_mb),
        runtime=planned(needs.runtime),
    params:
        settings=planned(statistics_settings),
        sources=source_digests(SCRIPTS / "normalisation.py"),
    script:
        "../scripts/normalisation.py"


rule examples:
    input:
        STALE.rerun(planned(example_settings), record=record_of(EXAMPLES)),
        planned(bank_arrays, inputs=dataset_bank),
        unpack(planned(dataset_bank)),
    output:
        examples=EXAMPLES,
        provenance=record_of(EXAMPLES),
    log:
        "<logs>/examples/{dataset}.log",
    wildcard_constraints:
        dataset=one_of(example_datasets(PLAN)),
    localrule: True
    conda:
        "../../envs/fedssl.yaml"
    params:
        settings=planned(example_settings),
        sources=source_digests(SCRIPTS / "examples.py"),
    script:
        "../scripts/examples.py"
