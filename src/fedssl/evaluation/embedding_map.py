"""Lay out samples of several datasets in the plane by t-SNE (fssuavl figures 2 and 3)."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from sklearn.metrics import silhouette_score
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


def embedding_map(
    settings: Mapping[str, Any],
    *,
    identity: Mapping[str, str],
    checkpoint: str,
    banks: Sequence[str],
    normalisation: str | None,
    points: str,
    summary: str,
) -> None:
    """Map samples of several datasets by the features of one checkpoint.

    Args:
        settings: settings of the job, see `MapSettings`.
        identity: the wildcards that name the checkpoint; copied to the summary.
        checkpoint: file of the encoder's weights.
        banks: bank.json of each dataset in the settings.
        normalisation: file of the spectrogram statistics; None if no bank has sounds.
        points: Parquet file to write, with one row per sample.
        summary: JSON file to write, with silhouettes of the samples by dataset and by modality.
    """
    own = typed(MapSettings, settings)
    prepare_device(own.threads, portable=own.portable)
    samples, features = _collect(own, checkpoint, banks=banks, normalisation=normalisation)
    # The order of the sums in PCA and t-SNE, and so the bits, depend on the number of threads.
    with threadpool_limits(own.threads):
        reduced = reduce(features, components=own.components)
        plane = lay_out(reduced, perplexity=own.perplexity, seed=own.seed)
    with atomic_write(points) as temporary:
        samples.assign(x=plane[:, 0], y=plane[:, 1]).to_parquet(temporary, index=False)
    # Tables and claims read the silhouettes in the features, a property of the encoder. t-SNE
    # distorts distances, so those on the map only describe the figure.
    spaces = {"features": reduced, "map": plane}
    found = {
        group: {space: silhouette(at, samples[group]) for space, at in spaces.items()}
        for group in ("dataset", "modality")
    }
    counts = samples["dataset"].value_counts(sort=False).to_dict()
    facts = {"seed": int(identity["seed"]), "samples": counts, "n_eval": len(samples)}
    write_json(summary, {**identity, **facts, "components": reduced.shape[1], "silhouette": found})


def draw(bank: Bank, split: str, *, count: int, seed: int) -> np.ndarray:
    """Return the sorted positions of `count` random samples of a split, or of all if it is smaller.

    The draw does not depend on the encoder, so that maps of several checkpoints show the same
    samples.
    """
    positions = bank.indices(split)
    rng = stream(seed, f"embedding map {bank.dataset}")
    return np.sort(rng.choice(positions, size=min(count, len(positions)), replace=False))


def reduce(features: np.ndarray, *, components: int) -> np.ndarray:
    """Return features on their first principal components, at most as many as exist."""
    most = min(components, *features.shape)
    # The default solver, "auto", can choose a randomised one.
    return np.asarray(PCA(most, svd_solver="full").fit_transform(features))


def lay_out(features: np.ndarray, *, perplexity: float, seed: int) -> np.ndarray:
    """Return positions in the plane by t-SNE, (samples, 2).

    Raises:
        UserError: there are not more samples than `perplexity`.
    """
    if len(features) <= perplexity:
        raise UserError(
            f"evaluation.embedding-map.perplexity is {perplexity:g} and the map has "
            f"{len(features)} samples; it must be less than that."
        )
    # scikit-learn takes no NumPy generator, only a seed below 2**32.
    state = int(stream(seed, "t-SNE").integers(2**32))
    # Starting from PCA instead of at random keeps more of the distances between groups.
    return np.asarray(
        TSNE(perplexity=perplexity, init="pca", random_state=state).fit_transform(features)
    )


def silhouette(points: np.ndarray, groups: pd.Series) -> float:
    """Return the mean silhouette of the groups by Euclidean distance, -1 to 1."""
    return float(silhouette_score(points, groups.to_numpy()))


def _collect(
    settings: MapSettings, checkpoint: str, *, banks: Sequence[str], normalisation: str | None
) -> tuple[pd.DataFrame, np.ndarray]:
    """Return the drawn samples of all datasets, one row each, and their features, (samples, d)."""
    device = prepare_device(settings.threads, portable=settings.portable)
    encoder = initialise(settings.seed, **settings.encoder)
    backbone = load_backbone(load_state(checkpoint), encoder)
    statistics = read_json(normalisation) if normalisation else None
    samples, features = [], []
    for declared, path in zip(settings.datasets, banks, strict=True):
        bank = open_bank(Path(path).parent, device=device)
        positions = draw(bank, declared.split, count=settings.samples, seed=settings.seed)
        views = Views(bank, settings, statistics=statistics, device=device)
        found = extract_features(backbone, views, positions, device=device)
        features.append(found.cpu().numpy())
        columns = {"position": positions, "dataset": declared.dataset, "modality": bank.modality}
        samples.append(pd.DataFrame({**columns, "label": bank.labels[positions]}))
    return pd.concat(samples, ignore_index=True), np.concatenate(features)
