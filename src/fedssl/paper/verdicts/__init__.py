"""What measured numbers say about published ones: verdicts on cells, columns and claims.

Pure functions of numbers: no module here reads or writes a file. Start with `seed_spread`, which
estimates how far single seeds scatter. `cell_verdict` compares one number with the paper's,
`rank_agreement` one column, and `claim_test` one claim after `hypotheses` has turned its predicate
into contrasts of cells. `power` predicts these verdicts before anything has run.
"""
