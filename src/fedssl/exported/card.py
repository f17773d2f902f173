"""The model card of an exported encoder, as Markdown."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fedssl.grid.settings_diff import flat

_USE = """\
```python
import fedssl

encoder, preprocess = fedssl.load_encoder("{file}")
{comment}
features = encoder.backbone(preprocess.{call})
```

`fedssl embed {file} <folder>` computes the features of a folder of files."""
_CALLS = {
    "image": ("images(images)", "# images: (batch, height, width, 3) uint8"),
    "audio": ("sounds(sounds)", "# sounds: a list of mono sounds at 16 kHz, int16 or float32"),
}


def card(
    facts: Mapping[str, Any],
    *,
    datasets: Mapping[str, Mapping[str, Any]],
    scores: Sequence[Mapping[str, Any]],
    file: str,
) -> str:
    """Return the card of an exported encoder.

    Args:
        facts: what the exported file says, see `Exported`.
        datasets: the declared entry of the pretraining set of each modality.
        scores: contents of the cell's metric files.
        file: name of the exported file.
    """
    provenance = facts["provenance"]
    call, comment = _CALLS[next(iter(facts["trained_on"]))]
    rows = [(m, d["title"], d["licence"], d["citation"]) for m, d in datasets.items()]
    parts = [
        f"# {provenance['cell']}",
        _summary(facts),
        _warning(provenance, datasets),
        "## Use",
        _USE.format(file=file, call=call, comment=comment),
        "## Training data",
        _table(("modality", "dataset", "licence", "citation"), rows),
        "The licences of the data may restrict what the weights can be used for.",
        "## Scores",
        _scores(scores),
        "## Settings",
        _table(("setting", "value"), flat(provenance["settings"])),
        "## Provenance",
        _table(("fact", "value"), _origin(provenance)),
    ]
    return "\n\n".join(filter(None, parts)) + "\n"


def _summary(facts: Mapping[str, Any]) -> str:
    settings = facts["provenance"]["settings"]
    trained = " and ".join(facts["trained_on"])
    federation = settings["federation"]
    where = (
        f"{federation['clients']} clients for {federation['rounds']} rounds, aggregated by "
        f"{settings['aggregator']['name']}"
        if "clients" in federation
        else "one place"
    )
    arch, method = facts["encoder"]["arch"], settings["method"]["name"]
    return f"A {arch} encoder, pretrained by {method} on {trained} data of {where}."


def _warning(provenance: Mapping[str, Any], datasets: Mapping[str, Mapping[str, Any]]) -> str:
    """Return why the encoder says nothing about the papers; empty for their scale."""
    made_up = [entry["title"] for entry in datasets.values() if entry.get("synthetic")]
    notes = [f"trained on made-up data ({', '.join(made_up)})"] if made_up else []
    if provenance["scale"] != "paper":
        notes.append(f"{provenance['scale']}: {provenance['scale_note']}")
    return f"**Not comparable with the papers**: {'; '.join(notes)}." if notes else ""


def _scores(scores: Sequence[Mapping[str, Any]]) -> str:
    if not scores:
        return "None yet: no evaluation of this cell has finished."
    rows = [(s["task"], s["protocol"], f"{s['value']:.2f}", s["n_eval"]) for s in scores]
    return _table(("task", "protocol", "value in %", "samples scored"), rows)


def _origin(provenance: Mapping[str, Any]) -> Iterable[tuple[str, object]]:
    """Yield the facts by which the encoder can be traced to its run."""
    yield "cell", provenance["cell"]
    yield "SHA-256 of model.safetensors", provenance["model_sha256"]
    yield "digest of the provenance record", provenance["record"]
    edited = " with uncommitted edits" if provenance["uncommitted_edits"] else ""
    yield "commit", f"{provenance['commit'] or 'unknown'}{edited}"
    yield "trained from", provenance["started"]
    yield "hardware", provenance["hardware"]
    yield "torch", provenance["packages"].get("torch", "unknown")


def _table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines)


def _cell(value: object) -> str:
    return " ".join(str(value).split()).replace("|", "\\|")
