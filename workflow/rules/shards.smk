"""Which samples each client holds; shared by all cells of a seed, so comparisons are paired."""


rule shards:
    input:
        bank=MEMORY.inputs(
            PRETRAIN.bank,
            PRETRAIN.recorded_sharding,
            record="<results>/shards/{dataset}/{sharding}/seed{seed}.provenance.json",
        ),
    output:
        shards="<results>/shards/{dataset}/{sharding}/seed{seed}.json",
        provenance="<results>/shards/{dataset}/{sharding}/seed{seed}.provenance.json",
    log:
        "<logs>/shards/{dataset}/{sharding}/seed{seed}.log",
    conda:
        "../../envs/fedssl.yaml"
    params:
        settings=PRETRAIN.sharding,
        sources=source_digests(SCRIPTS / "shards.py"),
    message:
        "dealing {wildcards.dataset} to the clients, {wildcards.sharding}, seed {wildcards.seed}"
    script:
        "../scripts/shards.py"
