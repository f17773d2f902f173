"""t-SNE maps: how an encoder lays out samples of several datasets (fssuavl figures 2 and 3)."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from fedssl.backbones.encoder import initialise
from fedssl.data.banks.bank import Bank, open_bank
from fedssl.device import prepare_device
from fedssl.errors import UserError
from fedssl.evaluation.features import extract_features, load_backbone
from fedssl.evaluation.settings import MapSettings
from fedssl.federation.checkpoint import load_state
from fedssl.files import atomic_write, read_json, write_json
from fedssl.randomness import stream
from fedssl.typed import typed
from fedssl.views.bank_views import Views

GROUPS = ("dataset", "modality")


def embedding_map(
    settings: Mapping[str, Any],
    *,
    identity: Mapping[str, str],
    checkpoint: str,
    banks: Sequence[str],
    normalisation: str,
    points: str,
    summary: str,
) -> None:
    """Map samples of each of `settings["datasets"]` by one checkpoint's features.

    Features are reduced by PCA and laid out in the plane by t-SNE. `points` gets a row a sample:
    its position in the bank, dataset, modality, label, x and y. `summary` gets the silhouette
    (-1 to 1) of the datasets and of the modalities, twice: in `features`, after PCA and before
    t-SNE, which is a property of the encoder and what the tables and claims read; and on the
    `map`, which is what the eye sees, but t-SNE tears apart what is close and stretches what is
    dense, so that its distances say little.
    """
    own = typed(MapSettings, settings)
    prepare_device(own.threads)
    samples, features = _collect(own, checkpoint, banks=banks, normalisation=normalisation)
    # The sums of both steps depend on the number of threads.
    with threadpool_limits(own.threads):
        reduced = reduce(features, components=own.components)
        plane = lay_out(reduced, perplexity=own.perplexity, seed=own.seed)
    with atomic_write(points) as temporary:
        samples.assign(x=plane[:, 0], y=plane[:, 1]).to_parquet(temporary, index=False)
    spaces = {"features": reduced, "map": plane}
    found = {
        group: {space: silhouette(at, samples[group]) for space, at in spaces.items()}
        for group in GROUPS
    }
    counts = samples["dataset"].value_counts(sort=False).to_dict()
    facts = {"seed": int(identity["seed"]), "samples": counts, "n_eval": len(samples)}
    write_json(summary, {**identity, **facts, "components": reduced.shape[1], "silhouette": found})


def draw(bank: Bank, split: str, *, count: int, seed: int) -> np.ndarray:
    """Return the sorted positions of `count` samples of a split, or of all where it has fewer."""
    positions = bank.indices(split)
    rng = stream(seed, f"embedding map {bank.dataset}")
    return np.sort(rng.choice(positions, size=min(count, len(positions)), replace=False))


def reduce(features: np.ndarray, *, components: int) -> np.ndarray:
    """Return features on their first principal components, at most as many as there are."""
    from sklearn.decomposition import PCA

    most = min(components, *features.shape)
    # The solver that "auto" may choose draws random numbers.
    return np.asarray(PCA(most, svd_solver="full").fit_transform(features))


def lay_out(features: np.ndarray, *, perplexity: float, seed: int) -> np.ndarray:
    """Return positions in the plane, (samples, 2), by t-SNE that starts from PCA.

    Raises:
        UserError: There are not more samples than `perplexity`.
    """
    from sklearn.manifold import TSNE

    if len(features) <= perplexity:
        raise UserError(
            f"evaluation.embedding-map.perplexity is {perplexity:g} and the map has "
            f"{len(features)} samples; it must be less than that."
        )
    state = int(stream(seed, "t-SNE").integers(2**32))
    return np.asarray(
        TSNE(perplexity=perplexity, init="pca", random_state=state).fit_transform(features)
    )


def silhouette(points: np.ndarray, groups: pd.Series) -> float:
    """Return the mean silhouette of the samples' groups by Euclidean distance, -1 to 1."""
    from sklearn.metrics import silhouette_score

    return float(silhouette_score(points, groups.to_numpy()))


def _collect(
    settings: MapSettings, checkpoint: str, *, banks: Sequence[str], normalisation: str
) -> tuple[pd.DataFrame, np.ndarray]:
    """Return the drawn samples of all datasets, a row each, and their features, (samples, d)."""
    device = prepare_device(settings.threads)
    encoder = initialise(settings.seed, **settings.encoder)
    backbone = load_backbone(load_state(checkpoint), encoder)
    statistics = read_json(normalisation)
    samples, features = [], []
    for declared, path in zip(settings.datasets, banks, strict=True):
        bank = open_bank(Path(path).parent)
        positions = draw(bank, declared.split, count=settings.samples, seed=settings.seed)
        views = Views(bank, settings, statistics=statistics, device=device)
        found = extract_features(backbone, views, positions, device=device)
        features.append(found.cpu().numpy())
        columns = {"position": positions, "dataset": declared.dataset, "modality": bank.modality}
        samples.append(pd.DataFrame({**columns, "label": bank.labels[positions]}))
    return pd.concat(samples, ignore_index=True), np.concatenate(features)
