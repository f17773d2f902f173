"""The last rows of a table and the notes below it, made from the rows of its CSV."""

from collections import Counter
from collections.abc import Callable, Iterable

import pandas as pd

from fedssl.paper.verdict import COMPARED, Verdict
from fedssl.paper.verdicts.cell_verdict import expected_by_chance

EMPTY = "—"


def footers(frame: pd.DataFrame) -> dict[str, Callable[[pd.DataFrame], str]]:
    """Return the name of each last row, and the function that gives its text for a column."""
    ranks = {"Kendall's tau": rank_text} if frame["tau"].notna().any() else {}
    return {**ranks, "chance": chance_text, "n_eval": n_eval_text}


def rank_text(records: pd.DataFrame) -> str:
    """Return how well a column ranks its rows as the paper does: tau and its 95 % interval."""
    found = records.dropna(subset="tau")
    if found.empty:
        return EMPTY
    tau, low, high = found.iloc[0][["tau", "tau_low", "tau_high"]]
    return f"{tau:.2f}" if pd.isna(low) else f"{tau:.2f} [{low:.2f}, {high:.2f}]"


def chance_notes(verdicts: Iterable[str]) -> tuple[str, ...]:
    """Return a note on how many numbers differ, and how many would by chance; or nothing."""
    found = Counter(verdicts)
    compared = sum(found[verdict] for verdict in COMPARED)
    if not compared:
        return ()
    expected = expected_by_chance([Verdict(v) for v in COMPARED for _ in range(found[v])])
    return (
        f"{found[Verdict.DIFFERS]} of {compared} compared numbers differ from the published one; "
        f"{expected:.1f} would by chance.",
    )


def chance_text(records: pd.DataFrame) -> str:
    """Return the accuracy of guessing in a column, or both ends of a range of accuracies."""
    texts = [f"{value:.2f}" for value in sorted(records["chance"].dropna().unique())]
    return " to ".join(dict.fromkeys((texts[0], texts[-1]))) if texts else EMPTY


def n_eval_text(records: pd.DataFrame) -> str:
    """Return the numbers of samples scored in a column."""
    counts = sorted(records["n_eval"].dropna().unique())
    return " / ".join(str(count) for count in counts) or EMPTY
