"""The state folder of each declared job that resumes, and whether the job has finished."""

import os
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from fedssl.command.dry_run import PlannedJob
from fedssl.data.plan import bank_state
from fedssl.evaluation import plan as scoring
from fedssl.evaluation import plan_pairs as pairing
from fedssl.federation.plan import pretrain_state
from fedssl.grid.plan import Plan

_fine_tune = partial(scoring.fine_tune_state, script="fine_tune.py")
_fine_tune_pairs = partial(scoring.fine_tune_state, script="fine_tune_pairs.py")
# As in the rules. `test_repair.py` compares these with the folders of real jobs.
_STATES: Mapping[str, Callable[[Plan, Any], str]] = {
    "bank_images": bank_state,
    "bank_waveforms": bank_state,
    "pretrain": pretrain_state,
    "pretrain_centralised": pretrain_state,
    "score_rounds": scoring.round_state,
    "fine_tune": partial(_fine_tune, settings=scoring.fine_tune_settings),
    "fine_tune_random_init": partial(_fine_tune, settings=scoring.fine_tune_random_settings),
    "fine_tune_pairs": partial(_fine_tune_pairs, settings=pairing.fine_tune_pair_settings),
    "fine_tune_pairs_random_init": partial(
        _fine_tune_pairs, settings=pairing.fine_tune_random_pair_settings
    ),
}


class _Wildcards(SimpleNamespace):
    """The wildcards of a job, as planning functions read them."""

    def items(self) -> Iterable[tuple[str, str]]:
        """Return name -> value."""
        return vars(self).items()


def finished_states(plan: Plan, jobs: Iterable[PlannedJob]) -> dict[str, bool]:
    """Return state folder, below the results folder -> whether all jobs that use it are done."""
    found: dict[str, bool] = {}
    for job in jobs:
        if job.rule in _STATES:
            state = _STATES[job.rule](plan, _Wildcards(**job.wildcards))
            place = Path(state).relative_to(plan.paths.results).as_posix()
            done = all(map(os.path.exists, job.outputs))
            found[place] = found.get(place, True) and done
    return found
