"""Which samples each client holds; shared by all cells of a seed, so comparisons are paired."""

from fedssl.federation.plan import recorded_sharding, sharding_settings

SHARDS = OUT.shards("{dataset}", "{sharding}", "{seed}")


rule shards:
    input:
        STALE.rerun(planned(recorded_sharding), record=record_of(SHARDS)),
        planned(bank_arrays, inputs=dataset_bank),
        unpack(planned(dataset_bank)),
    output:
        shards=SHARDS,
        provenance=record_of(SHARDS),
    log:
        "<logs>/shards/{dataset}/{sharding}/seed{seed}.log",
    localrule: True
    conda:
        "../../envs/fedssl.yaml"
    params:
        settings=planned(sharding_settings),
        sources=source_digests(SCRIPTS / "shards.py"),
    script:
        "../scripts/shards.py"
