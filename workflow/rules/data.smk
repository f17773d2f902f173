"""Archives to memory-mapped banks."""

from fedssl.sources import is_module

SYNTHETIC = [name for name in DATASETS if DATASETS[name].get("synthetic")]
OFFICIAL = [name for name in DATASETS if name not in SYNTHETIC]
IMAGE = [name for name in DATASETS if DATASETS[name]["modality"] == "image"]
AUDIO = [name for name in DATASETS if DATASETS[name]["modality"] == "audio"]
FILES = {
    entry["file"]: key
    for dataset in DATASETS.values()
    for key, entry in dataset["archives"].items()
}


def archive_entry(wildcards):
    """What the datasets file says of one archive."""
    return dict(DATASETS[wildcards.dataset]["archives"][FILES[wildcards.file]])


def archive_key(wildcards):
    """The key of an archive in its dataset's entry."""
    return FILES[wildcards.file]


def archive_paths(wildcards):
    """The archives of a dataset by their keys."""
    folder = f"<data>/archives/{wildcards.dataset}"
    archives = DATASETS[wildcards.dataset]["archives"]
    return {key: ancient(f"{folder}/{entry['file']}") for key, entry in archives.items()}


def contents(wildcards):
    """What a bank must hold, and the checksums of what it is read from."""
    entry = DATASETS[wildcards.dataset]
    archives = {key: archive["checksum"] for key, archive in sorted(entry["archives"].items())}
    return {
        "archives": archives,
        "classes": entry["classes"],
        "max_bad_share": entry["max_bad_share"],
        "splits": dict(sorted(entry["splits"].items())),
    }


def synthetic_contents(wildcards):
    """The classes and items per split of a made-up dataset."""
    entry = DATASETS[wildcards.dataset]
    return {"classes": entry["classes"], "splits": dict(sorted(entry["splits"].items()))}


def bank_sources(wildcards):
    """The code behind a bank: the writer and the dataset's reader, where there is one."""
    reader = f"fedssl.data.readers.{wildcards.dataset.replace('-', '_')}"
    return source_digests(SCRIPTS / "bank.py", *filter(is_module, [reader]))


def access_note(wildcards):
    """How to get a restricted archive by hand, or None."""
    return DATASETS[wildcards.dataset]["access"]


def audio_settings(wildcards):
    """How a study turns sound into log-mel images."""
    return GRID.study_settings(wildcards.study)["audio"]


rule acquire:
    output:
        archive=update("<data>/archives/{dataset}/{file}"),
        provenance="<data>/archives/{dataset}/{file}.provenance.json",
    log:
        "<logs>/acquire/{dataset}/{file}.log",
    params:
        archive=archive_entry,
        # Names only: an edit of the code does not fetch a verified archive again.
        sources=sorted(source_digests(SCRIPTS / "acquire.py")),
        access=access_note,
    message:
        "fetching {wildcards.file} of {wildcards.dataset}"
    wildcard_constraints:
        dataset=one_of(OFFICIAL),
        file=one_of(FILES),
    retries: 2
    script:
        "../scripts/acquire.py"


rule synthesise:
    output:
        archive="<data>/archives/{dataset}/{file}",
        provenance="<data>/archives/{dataset}/{file}.provenance.json",
    log:
        "<logs>/synthesise/{dataset}/{file}.log",
    params:
        key=archive_key,
        contents=synthetic_contents,
        sources=source_digests(SCRIPTS / "synthesise.py"),
    message:
        "making up {wildcards.file} of {wildcards.dataset}"
    wildcard_constraints:
        dataset=one_of(SYNTHETIC),
        file=one_of(FILES),
    script:
        "../scripts/synthesise.py"


rule bank_images:
    input:
        unpack(archive_paths),
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
    params:
        contents=contents,
        sources=bank_sources,
    message:
        "reading {wildcards.dataset} into a bank"
    wildcard_constraints:
        dataset=one_of(IMAGE),
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
        dataset=one_of(AUDIO),


rule normalisation:
    input:
        bank="<results>/banks/{dataset}/bank.json",
    output:
        statistics="<results>/normalisation/{study}/{dataset}.json",
        provenance="<results>/normalisation/{study}/{dataset}.provenance.json",
    log:
        "<logs>/normalisation/{study}/{dataset}.log",
    params:
        settings=audio_settings,
        sources=source_digests(SCRIPTS / "normalisation.py"),
    message:
        "measuring the log-mel mean and deviation of {wildcards.dataset}"
    script:
        "../scripts/normalisation.py"
