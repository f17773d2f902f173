"""t-SNE next to openTSNE: `python -m benchmarks.peers.tsne`."""

import openTSNE
from benchmarks.timing import Work, print_turns

from fedssl.evaluation.embedding_map import lay_out
from fedssl.randomness import stream

POINTS, COMPONENTS, PERPLEXITY = 500, 50, 30.0


def work() -> Work:
    """Return ways to lay out features in the plane by t-SNE."""
    rng = stream(0, "benchmark")
    features = rng.normal(size=(POINTS, COMPONENTS)) + 4 * rng.integers(0, 2, (POINTS, 1))
    peer = openTSNE.TSNE(perplexity=PERPLEXITY, n_jobs=1, random_state=0)
    return {
        "ours (scikit-learn)": lambda: lay_out(features, perplexity=PERPLEXITY, seed=0),
        "openTSNE": lambda: peer.fit(features),
    }


if __name__ == "__main__":
    print_turns({f"t-SNE, {POINTS} points": work()}, runs=3)
