"""Pretraining of one cell: federated, or on all data in one place."""

from fedssl.federation.plan import (
    pretrain_inputs,
    pretrain_settings,
    pretrain_sources,
    pretrain_state,
)
from fedssl.grid.cell import CENTRALISED

on_gpus = partial(planned, gpus=MACHINE.gpus("pretrain"))
centrally = partial(planned, gpus=MACHINE.gpus("pretrain_centralised"))
UNCHANGED = STALE.rerun(planned(pretrain_settings), record=OUT.provenance(ANY_CELL))


rule pretrain:
    input:
        UNCHANGED,
        planned(bank_arrays, inputs=pretrain_inputs),
        unpack(planned(pretrain_inputs)),
    output:
        model=OUT.model(ANY_CELL),
        rounds=OUT.rounds(ANY_CELL),
        milestones=directory(OUT.milestones(ANY_CELL)),
        provenance=OUT.provenance(ANY_CELL),
    log:
        f"<logs>/pretrain/{CELL}.log",
    benchmark:
        f"<benchmarks>/pretrain/{CELL}.tsv"
    wildcard_constraints:
        aggregator=one_of(
            name for name in GRID.values("aggregator") if name != CENTRALISED
        ),
    conda:
        "../../envs/fedssl.yaml"
    threads: on_gpus(needs.pretrain_threads, most=MACHINE.most_threads)
    resources:
        gpu=MACHINE.gpus("pretrain"),
        nodes=1,  # or Slurm may take several GPUs from several nodes
        clients=on_gpus(needs.pretrain_clients),
        mem_mb=on_gpus(needs.pretrain_mem_mb, state=pretrain_state),
        runtime=planned(needs.pretrain_runtime),
    params:
        settings=planned(pretrain_settings),
        sources=planned(pretrain_sources),
        state=planned(pretrain_state),
    script:
        "../scripts/pretrain.py"


rule pretrain_centralised:
    input:
        UNCHANGED,
        planned(bank_arrays, inputs=pretrain_inputs),
        unpack(planned(pretrain_inputs)),
    output:
        model=OUT.model(ANY_CELL),
        rounds=OUT.rounds(ANY_CELL),
        provenance=OUT.provenance(ANY_CELL),
    log:
        f"<logs>/pretrain/{CELL}.log",
    benchmark:
        f"<benchmarks>/pretrain/{CELL}.tsv"
    wildcard_constraints:
        aggregator=CENTRALISED,
    conda:
        "../../envs/fedssl.yaml"
    threads: centrally(needs.pretrain_threads, most=MACHINE.most_threads)
    resources:
        gpu=MACHINE.gpus("pretrain_centralised"),
        mem_mb=centrally(needs.pretrain_mem_mb, state=pretrain_state),
        runtime=planned(needs.pretrain_runtime),
    params:
        settings=planned(pretrain_settings),
        sources=planned(pretrain_sources),
        state=planned(pretrain_state),
    script:
        "../scripts/pretrain_centralised.py"
