"""Check that the numbers of a configuration fit each other and the sizes of the datasets.

The JSON schema covers the range of each number alone. What is wrong here would otherwise fail in a
job, perhaps after hours of training.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from fedssl.errors import UserError
from fedssl.grid.configuration import Key, Layer, located
from fedssl.grid.origins import sentence, setter
from fedssl.grid.splits import parse_split

if TYPE_CHECKING:
    from fedssl.grid.cell import Cell
    from fedssl.grid.tasks import Pair, Task

Datasets = Mapping[str, Mapping[str, Any]]


def check_cell(
    settings: Mapping[str, Any],
    entry: Key,
    layers: Sequence[Layer],
    *,
    cell: "Cell",
    datasets: Datasets,
) -> None:
    """Raise UserError unless the merged settings of a cell fit each other and its datasets.

    `entry` declares the cell, and `datasets` are those that it is trained on.
    """
    _check_rounds(settings, entry, layers, cell=cell)
    mistakes = [_audio(settings), _crops(settings), _holders(settings)]
    mistakes.append(_faults(settings))
    mistakes += [_clients(settings, name, entry) for name, entry in datasets.items()]
    for mistake in filter(None, mistakes):
        key, text = mistake
        found = setter(cell, entry, key, layers)
        raise UserError(sentence(found, f"{text}, in {cell.path}", layers))


_Mistake = tuple[Key, str]  # key of a cell's setting, and what is wrong with it


def _check_rounds(
    settings: Mapping[str, Any], entry: Key, layers: Sequence[Layer], *, cell: "Cell"
) -> None:
    """Raise UserError if a cell keeps a round that it does not have."""
    rounds = settings["federation"].get("rounds", 0)
    late = [r for r in settings["federation"].get("kept_rounds", []) if r > rounds]
    if late:
        keys = (("federation", name) for name in ("rounds", "kept_rounds"))
        number, kept = (located(setter(cell, entry, key, layers), layers) for key in keys)
        raise UserError(
            f"{number} is {rounds}, but {cell.path} keeps round {late[0]} ({kept}); keep only "
            f"rounds from 0 to {rounds}, or set more rounds."
        )


def _audio(settings: Mapping[str, Any]) -> _Mistake | None:
    audio = settings["audio"]
    frame = round(audio["crop_seconds"] * audio["sample_rate"])
    bins = audio["n_fft"] // 2 + 1
    if audio["n_fft"] < audio["window"]:
        text = f"is {audio['n_fft']}, less than the window of {audio['window']} samples"
        return ("audio", "n_fft"), f"{text}; the FFT must cover the window"
    if audio["mels"] > bins:
        text = f"is {audio['mels']}, but an FFT of {audio['n_fft']} samples has {bins} frequencies"
        return ("audio", "mels"), f"{text}; use fewer mel bins or a longer FFT"
    if frame < max(audio["window"], audio["hop"]):
        text = f"is {audio['crop_seconds']}, which is {frame} samples; a crop must cover the window"
        wanted = f"of {audio['window']} samples and the hop of {audio['hop']}"
        return ("audio", "crop_seconds"), f"{text} {wanted}"
    return None


def _faults(settings: Mapping[str, Any]) -> _Mistake | None:
    """Return a setting of simulated faults that would have no effect without another one."""
    federation = settings["federation"]
    faults, clients = federation.get("faults") or {}, federation.get("clients", 0)
    attack, malicious = faults.get("attack"), faults.get("malicious", 0.0)
    if faults.get("speed_sigma") and faults.get("deadline") is None:
        text = f"has speed_sigma {faults['speed_sigma']} and no deadline; add a deadline"
    elif malicious and attack is None:
        text = f"has malicious {malicious} and no attack; add an attack"
    elif attack and not malicious:
        text = f"has the attack {attack} and nobody malicious; add malicious, a share of clients"
    elif malicious and not round(malicious * clients):
        text = f"has malicious {malicious}, less than one of {clients} clients; use a larger share"
    else:
        return None
    return ("federation", "faults"), text


def _crops(settings: Mapping[str, Any]) -> _Mistake | None:
    """Return a crop of a log-mel image that can be smaller than one of its bins or steps."""
    audio = settings["audio"]
    steps = round(audio["crop_seconds"] * audio["sample_rate"]) // audio["hop"] + 1
    for name, count, unit in (
        ("frequency_crop", audio["mels"], "mel bins"),
        ("time_crop", steps, "time steps"),
    ):
        low, _ = settings["augmentation"]["audio"][name]
        if low * count < 1:
            text = f"starts at {low} of {count} {unit}, which is none of them"
            return ("augmentation", "audio", name), f"{text}; start at {1 / count:.2g} or more"
    return None


def _holders(settings: Mapping[str, Any]) -> _Mistake | None:
    """Return the number of clients if none of them gets a modality of the split."""
    if (clients := settings["federation"].get("clients")) is None:
        return None
    split = parse_split(settings["split"])
    # As in `fedssl.data.sharding.client_modalities`.
    both = round(split.both * clients / 100)
    audio = round((split.both + split.audio) * clients / 100)
    counts = {"audio": audio, "image": clients - audio + both}
    if without := [m for m in split.modalities if counts[m] == 0]:
        text = f"is {clients}, and the split {settings['split']} gives none of them {without[0]}"
        return ("federation", "clients"), f"{text}; use more clients, or a split without it"
    return None


def _clients(settings: Mapping[str, Any], name: str, dataset: Mapping[str, Any]) -> _Mistake | None:
    clients, samples = settings["federation"].get("clients"), dataset["splits"].get("train")
    if clients is None or samples is None:
        return None
    if clients > samples:
        text = f"is {clients}, but {name} has {samples} training samples"
        return ("federation", "clients"), f"{text}; use fewer clients"
    if (least := settings["sharding"]["min_samples"]) * clients > samples:
        text = f"is {least}, but {name} has {samples} training samples for {clients} clients"
        return ("sharding", "min_samples"), f"{text}; use at most {samples // clients}"
    return None


def check_evaluation(
    config: Mapping[str, Any],
    layers: Sequence[Layer],
    *,
    tasks: Sequence["Task"],
    pairs: Sequence["Pair"],
) -> None:
    """Raise UserError unless the settings of the evaluation fit the sizes of a study's tasks."""
    evaluation, datasets = config["evaluation"], config["datasets"]
    key: Key
    largest, samples = max(evaluation["retrieval"]["ks"]), evaluation["embedding-map"]["samples"]
    for task in tasks:
        memory = datasets[task.dataset]["splits"]["train"]
        if memory is not None and largest > memory:
            text = f"has {largest}, but {task.task} has {memory} samples to retrieve from; use"
            key = ("evaluation", "retrieval", "ks")
            raise UserError(sentence(key, f"{text} numbers up to {memory}", layers))
    if (perplexity := evaluation["embedding-map"]["perplexity"]) >= samples:
        text = f"is {perplexity}; it must be smaller than the {samples} samples of a dataset"
        key = ("evaluation", "embedding-map", "perplexity")
        raise UserError(sentence(key, f"{text} on the map (embedding-map.samples)", layers))
    for pair, dataset, split in _paired(pairs):
        entry = datasets[dataset]
        if (count := entry["splits"][split]) is not None and count < entry.get("classes", 1):
            text = f"is {count}, but the pair {pair.pair} needs a sample of each class, of which"
            where = ("datasets", dataset, "splits", split)
            raise UserError(sentence(where, f"{text} there are {entry['classes']}", layers))


def _paired(pairs: Sequence["Pair"]) -> Iterator[tuple["Pair", str, str]]:
    """Yield the datasets and splits in which each class of a pair needs a sample."""
    for pair in (pair for pair in pairs if pair.by == "label"):
        for dataset in (pair.image, pair.audio):
            yield from ((pair, dataset, split) for split in ("train", pair.split))
