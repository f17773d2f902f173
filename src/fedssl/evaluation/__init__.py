"""Score encoders: protocols on frozen features, fine-tuning, and confidence intervals.

Start with `evaluate`, which scores one checkpoint on one task. `features` runs the encoder, and
`protocols` turns features into scores, by `knn`, `probe` and `retrieval`. `evaluate_pairs` scores
pairs of an image and a sound, `round_scores` the kept rounds of a cell (`round_models` their
models, each once), and `embedding_map` draws t-SNE maps. `statistics` computes the intervals that
the tables print.

May import the other packages of the science. Only `plan` and `plan_pairs` import the configuration
and the records.
"""
