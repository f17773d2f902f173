"""Time kNN prediction against lightly and scikit-learn on the same features, and compare answers.

PYTHONPATH=src python benchmarks/knn.py --queries 1000 --bank 20000 --dim 512 --classes 200
"""

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch
from lightly.utils.benchmarking import knn_predict as lightly_predict
from sklearn.neighbors import KNeighborsClassifier
from torch import Tensor
from torch.nn.functional import normalize

from fedssl.evaluation.knn import knn_predict

K, TEMPERATURE = 200, 0.1
Predict = Callable[[Tensor, Tensor, Tensor, int], Tensor]


def ours(queries: Tensor, bank: Tensor, labels: Tensor, classes: int) -> Tensor:
    """Predict with this project's kNN."""
    settings = {"bank_labels": labels, "num_classes": classes, "k": K, "temperature": TEMPERATURE}
    return knn_predict(queries, bank, **settings)


def lightly(queries: Tensor, bank: Tensor, labels: Tensor, classes: int) -> Tensor:
    """Predict with lightly, which leaves normalising and chunks of queries to its caller."""
    keys = normalize(bank, dim=1).T
    chunks = normalize(queries, dim=1).split(256)
    return torch.cat(
        [lightly_predict(q, keys, labels, classes, K, TEMPERATURE)[:, 0] for q in chunks]
    )


def sklearn(queries: Tensor, bank: Tensor, labels: Tensor, classes: int) -> Tensor:
    """Predict with scikit-learn, brute force by cosine distance."""
    model = KNeighborsClassifier(K, weights=_weights, algorithm="brute", metric="cosine")
    model.fit(bank.numpy(), labels.numpy())
    return torch.from_numpy(model.predict(queries.numpy()))


def _weights(distances: np.ndarray) -> np.ndarray:
    return np.exp((1 - distances) / TEMPERATURE)


def features(samples: int, dim: int, classes: int, *, seed: int) -> tuple[Tensor, Tensor]:
    """Return features scattered around one centre per class, and their classes."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(classes, (samples,), generator=generator)
    centres = torch.randn(classes, dim, generator=torch.Generator().manual_seed(0))
    return centres[labels] + 3 * torch.randn(samples, dim, generator=generator), labels


def race(*given: Tensor | int, repeats: int) -> tuple[dict[str, float], dict[str, Tensor]]:
    """Return each contender's shortest time in seconds and its predictions.

    They take turns, so that whatever else the machine does slows all of them.
    """
    times = {predict.__name__: float("inf") for predict in CONTENDERS}
    found = {}
    for _ in range(repeats):
        for predict in CONTENDERS:
            start = time.perf_counter()
            found[predict.__name__] = predict(*given)  # type: ignore[arg-type]
            seconds = time.perf_counter() - start
            times[predict.__name__] = min(times[predict.__name__], seconds)
    return times, found


CONTENDERS: tuple[Predict, ...] = (ours, lightly, sklearn)


def main() -> None:
    """Print one line per contender: seconds, ratio to ours, agreement with ours."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in (("queries", 1000), ("bank", 20000), ("dim", 512), ("classes", 200)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()
    bank, labels = features(args.bank, args.dim, args.classes, seed=1)
    queries, _ = features(args.queries, args.dim, args.classes, seed=2)
    times, found = race(queries, bank, labels, args.classes, repeats=args.repeats)
    print(f"{args.queries} queries, bank {args.bank} x {args.dim}, {args.classes} classes, k {K}")
    for name, seconds in times.items():
        same = (found[name] == found["ours"]).float().mean().item()
        print(f"{name:10s}{seconds:8.3f} s {seconds / times['ours']:6.2f}x {same:8.2%} agree")


if __name__ == "__main__":
    main()
