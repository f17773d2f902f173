"""Show single samples with what was predicted for them, in the panel of a number."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from fedssl.files import read_json
from fedssl.paper.page.scores import read_predictions, scored_bank

Record = dict[str, Any]


def read_examples(scores: Iterable[Path], datasets: Mapping[str, Record]) -> Record:
    """Return the stored samples of each dataset, and what each score says of them.

    `datasets` has the title of each dataset and its samples, or a note why there are none. `scores`
    has the dataset of each score, and of each stored sample [its place, whether it is right, the
    predicted class]. The class is None for retrieval, which predicts none.

    Args:
        scores: What `fedssl.paper.page.scores.shown_scores` returns.
        datasets: Title and file of the samples of each dataset; None if they may not be copied.
    """
    stored = {name: _stored(**about) for name, about in datasets.items()}
    shown = {}
    for score in scores:
        bank = scored_bank(score)
        if bank and bank.parent.name in stored:
            name = bank.parent.name
            shown[str(score)] = {"dataset": name, "shown": _predicted(score, stored[name])}
    used = {own["dataset"] for own in shown.values()}
    return {"datasets": {k: _named(v) for k, v in stored.items() if k in used}, "scores": shown}


def _stored(title: str, file: str | None) -> Record:
    if file is None:
        why = f"No samples of {title} are shown: its licence may not allow copies in this page."
    elif not Path(file).is_file():
        why = f"No samples of {title} are stored with these results."
    else:
        return {"title": title, **read_json(file)}
    return {"title": title, "note": why, "samples": [], "classes": []}


def _predicted(score: Path, stored: Record) -> list[list[Any]]:
    """Return what a score says of the stored samples that it has scored."""
    frame = read_predictions(score)
    if not stored["samples"] or "position" not in frame:
        return []
    known = frame.set_index("position")
    # R@k has one column for each k; the value of the score is that of the first.
    hit = next((name for name in known.columns if name.startswith("hit@")), None)
    shown = []
    for place, sample in enumerate(stored["samples"]):
        if sample["position"] not in known.index:
            continue
        row = known.loc[sample["position"]]
        if "prediction" in known:
            label = int(row["prediction"])
            shown.append([place, label == sample["label"], stored["classes"][label]])
        elif hit:
            shown.append([place, bool(row[hit]), None])
    return shown


def _named(stored: Record) -> Record:
    """Return a dataset as the page stores it: with the class of each sample and no list of all."""
    kept = {key: stored[key] for key in ("title", "note") if key in stored}
    samples = [_kept(sample, stored["classes"]) for sample in stored["samples"]]
    return kept | {"samples": samples}


def _kept(sample: Record, classes: list[str]) -> Record:
    drawn: Record = {key: sample[key] for key in ("picture", "seconds", "wave") if key in sample}
    return {"class": classes[sample["label"]], **drawn}
