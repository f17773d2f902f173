"""Test the claims of a paper on the measured cells of its tables."""

from collections.abc import Mapping, Sequence
from typing import Any

from fedssl.paper.claims.cells import PaperCells
from fedssl.paper.claims.evidence import tested_sentence
from fedssl.paper.verdicts.claim_test import ClaimVerdict, judge_claims
from fedssl.paper.verdicts.hypotheses import Hypothesis, cells_of, hypothesis_of
from fedssl.paper.verdicts.margins import Measured

COLUMNS = (
    *("measured", "measured_margin", "low", "high", "p_holds", "p_fails", "level"),
    *("seeds_needed", "scaled", "measured_evidence"),
)
NOT_RUN = "not-run"


def judge_measured(
    claims: Sequence[Mapping[str, Any]], paper: PaperCells
) -> dict[str, dict[str, Any]]:
    """Return claim -> its columns `COLUMNS`, for all claims of one paper.

    A claim with a cell that was not measured is not-run, and Holm's correction does not count it.
    """
    hypotheses = {
        claim["id"]: hypothesis_of(claim.get("measured", claim["predicate"])) for claim in claims
    }
    run = {
        name: hypothesis
        for name, hypothesis in hypotheses.items()
        if all(key in paper.cells for key in cells_of(hypothesis))
    }
    source = Measured(paper.measurements())
    verdicts = judge_claims(run, source)
    return {
        name: _record(hypothesis, verdicts[name], source)
        | {"scaled": any(key in paper.scaled for key in cells_of(hypothesis))}
        if name in run
        else _not_run(hypothesis, paper)
        for name, hypothesis in hypotheses.items()
    }


def _not_run(hypothesis: Hypothesis, paper: PaperCells) -> dict[str, Any]:
    used = cells_of(hypothesis)
    missing = sum(key not in paper.cells for key in used)
    evidence = f"{missing} of {len(used)} numbers not run"
    return dict.fromkeys(COLUMNS) | {"measured": NOT_RUN, "measured_evidence": evidence}


def _record(hypothesis: Hypothesis, found: ClaimVerdict, source: Measured) -> dict[str, Any]:
    record: dict[str, Any] = dict.fromkeys(COLUMNS) | {
        "measured": found.verdict,
        "measured_evidence": tested_sentence(hypothesis, found, source),
    }
    evidence = found.evidence
    if evidence is None:
        return record
    record |= {"p_holds": evidence.p_holds, "p_fails": evidence.p_fails, "level": found.level}
    record["seeds_needed"] = found.seeds_needed
    if evidence.margin is not None:
        low, high = evidence.margin.interval()
        record |= {"measured_margin": evidence.margin.value, "low": low, "high": high}
    return record
