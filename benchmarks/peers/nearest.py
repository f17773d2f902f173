"""kNN next to faiss and scikit-learn: `python -m benchmarks.peers.nearest`."""

import faiss
import numpy as np
import torch
from benchmarks.timing import Work, print_turns
from sklearn.neighbors import KNeighborsClassifier
from torch.nn.functional import normalize

from fedssl.evaluation.knn import knn_predict

QUERIES, DIM, CLASSES, K, TEMPERATURE = 1000, 512, 100, 200, 0.1
BANKS = (10_000, 50_000)


def work(size: int) -> Work:
    """Return ways to predict classes by the weighted vote of the nearest rows of a bank."""
    generator = torch.Generator().manual_seed(0)
    centres = torch.randn(CLASSES, DIM, generator=generator)
    labels = torch.randint(CLASSES, (size + QUERIES,), generator=generator)
    features = centres[labels] + 3 * torch.randn(size + QUERIES, DIM, generator=generator)
    (queries, bank), known = features.split([QUERIES, size]), labels[QUERIES:]
    settings = {"num_classes": CLASSES, "k": K, "temperature": TEMPERATURE}

    def with_faiss() -> torch.Tensor:
        index = faiss.IndexFlatIP(DIM)
        index.add(normalize(bank, dim=1).numpy())
        similarity, found = index.search(normalize(queries, dim=1).numpy(), K)
        weights = (torch.from_numpy(similarity) / TEMPERATURE).exp()
        scores = torch.zeros(QUERIES, CLASSES)
        return scores.scatter_add_(1, known[torch.from_numpy(found)], weights).argmax(dim=1)

    def with_sklearn() -> np.ndarray:
        model = KNeighborsClassifier(K, weights=_weights, algorithm="brute", metric="cosine")
        return np.asarray(model.fit(bank.numpy(), known.numpy()).predict(queries.numpy()))

    return {
        "ours": lambda: knn_predict(queries, bank, bank_labels=known, **settings),
        "faiss": with_faiss,
        "scikit-learn": with_sklearn,
    }


def _weights(distances: np.ndarray) -> np.ndarray:
    return np.exp((1 - distances) / TEMPERATURE)


if __name__ == "__main__":
    faiss.omp_set_num_threads(1)
    works = {f"kNN, {QUERIES:,} queries, bank {size:,} x {DIM}": work(size) for size in BANKS}
    print_turns(works, runs=3)
