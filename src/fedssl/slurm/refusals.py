"""Which of Slurm's refusals may pass by themselves."""

import re

# Of sbatch: Slurm is away or overloaded, or the user has as many jobs in the queue as are allowed.
_MAY_PASS = re.compile(
    r"contact slurm controller|timed out|temporar|connection refused|connection reset"
    r"|zero bytes|communication|unexpected message|\w*MaxSubmit\w*|try again|being reconfigured"
    r"|is ending",
    re.IGNORECASE,
)
_LIMIT = re.compile(r"\b(Assoc|QOS)\w+")
_SOME_LIMIT = "job submit limit"
# Reasons that squeue gives for a waiting job which cannot start unless somebody changes it.
_NEVER_STARTS = re.compile(
    r"Partition(Time|Node)Limit|BadConstraints|Invalid(Account|QOS)|DependencyNeverSatisfied"
    r"|(Assoc|QOS)(Max|Min)\w+PerJob(Limit)?|MaxMemPerLimit|AccountNotAllowed|QOSNotAllowed"
)


def may_pass(refusal: str, *, queued: bool) -> bool:
    """Return whether a refused job may be taken later.

    Slurm has one sentence for "too many jobs" and "too large a job". Where nothing says which of
    them it is, it is the first if the run has jobs in the queue (`queued`).
    """
    if _SOME_LIMIT in refusal and not _LIMIT.search(refusal):
        return queued
    return _MAY_PASS.search(refusal) is not None


def never_starts(reason: str) -> bool:
    """Return whether a waiting job cannot start, by the reason that squeue gives."""
    return _NEVER_STARTS.fullmatch(reason) is not None


def held(reason: str) -> bool:
    """Return whether a waiting job was put on hold, so that somebody must release it."""
    return "held" in reason.lower()


def sentence(refusal: str) -> str:
    """Return what sbatch printed as one line, without the words that begin each of its lines."""
    lines = (re.sub(r"^sbatch: (error: )?", "", line) for line in refusal.splitlines())
    return "; ".join(line.strip() for line in lines if line.strip())
