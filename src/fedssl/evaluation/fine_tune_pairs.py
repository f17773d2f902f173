"""Fine-tune one encoder on pairs of an image and a sound (fssuavl section 4.2, table 4).

paper: calls table 4 transfer learning and does not say what is trained; here: table 4 shows both
the frozen encoder (`transfer`, see `evaluate_pairs`) and this.
"""

from collections.abc import Mapping
from typing import Any

import torch

from fedssl.device import prepare_device
from fedssl.evaluation.fine_tune import fine_tune, predict
from fedssl.evaluation.job_files import (
    checkpoints_of,
    read_encoder,
    read_statistics,
    training_facts,
)
from fedssl.evaluation.paired import num_parameters
from fedssl.evaluation.pairs import open_pairs, write_pair_score
from fedssl.evaluation.protocols import top1
from fedssl.evaluation.settings import FineTunePairSettings
from fedssl.typed import typed
from fedssl.views.fine_tune import FineTuneViews


def fine_tune_pairs(
    settings: Mapping[str, Any],
    *,
    identity: Mapping[str, str],
    inputs: Mapping[str, str],
    metric: str,
    state: str,
) -> dict[str, Any]:
    """Fine-tune one checkpoint on pairs end to end, and score the result.

    Args:
        settings: settings of the job, see `FineTunePairSettings`.
        identity: the wildcards that name the checkpoint and the pairs; copied to the metric file.
        inputs: `image_bank`, `audio_bank` and `normalisation`; `model`, or no model for the random
            weights from which pretraining starts.
        metric: JSON file to write; a Parquet table of the same name has one row per pair.
        state: folder of the checkpoints from which an interrupted training continues. They stay:
            the caller removes them once the job is recorded.

    Returns:
        The facts for the provenance record.
    """
    own = typed(FineTunePairSettings, settings)
    device = prepare_device(own.threads, precision=own.precision, portable=own.portable)
    pairs, statistics = open_pairs(own, inputs, device=device), read_statistics(inputs)
    encoder = read_encoder(own, inputs.get("model"))
    views = [
        FineTuneViews(pairs.banks[name], own, statistics=statistics, device=device)
        for name in own.modalities
    ]
    checkpoints = checkpoints_of(inputs, state=state)
    model = fine_tune(
        encoder,
        views,
        indices=[pairs.train[name] for name in own.modalities],
        settings=own.fine_tune,
        precision=own.precision,
        seed=own.seed,
        device=device,
        checkpoints=checkpoints,
    )
    scored = [pairs.scored[name] for name in own.modalities]
    predicted = predict(model, views, scored, device=device).cpu()
    facts = {**identity, "seed": int(identity["seed"]), "protocol": "fine-tune"}
    facts |= {"parameters": num_parameters(encoder), **training_facts(inputs)}
    result = top1(predicted, torch.from_numpy(pairs.scored_labels))
    write_pair_score(result, pairs, shown=own.modalities, facts=facts, path=metric)
    return checkpoints.facts()
