"""How loud the sounds of a bank are, and how many of them were changed on their way into it."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

_PIECE = 1 << 20  # samples
_INT16_SCALE = 32_768
# Samples beyond this share of full scale are at full scale: the largest of int16.
_FULL_SCALE = 32_767 / 32_768
_CLIPPED_SHARE = 0.01
_QUIET_DBFS = -60.0
# A share of clips that is worth a warning.
_WARNED_SHARE = 0.01


class Level(NamedTuple):
    """The level of a clip in dB relative to full scale; None if all its samples are 0.

    Attributes:
        rms: of the root mean square.
        peak: of the largest sample.
        clipped: whether more than 1 % of the samples are at full scale or beyond.
    """

    rms: float | None
    peak: float | None
    clipped: bool


def measure(waveform: np.ndarray) -> Level:
    """Return the level of a waveform, (samples,) int16 or float32 in [-1, 1]."""
    scale = _INT16_SCALE if waveform.dtype == np.int16 else 1.0
    power = peak = 0.0
    clipped = 0
    # In float64, where the squares of a piece of int16 are summed without rounding. Every machine
    # must get the same numbers, because bank.json has them; that is also why they are rounded.
    for start in range(0, len(waveform), _PIECE):
        piece = waveform[start : start + _PIECE].astype(np.float64) / scale
        power += float(np.dot(piece, piece))
        size = np.abs(piece)
        peak = max(peak, float(size.max()))
        clipped += int(np.count_nonzero(size >= _FULL_SCALE))
    if not power:
        return Level(None, None, clipped=False)
    rms = 10 * math.log10(power / len(waveform))
    share = clipped / len(waveform)
    return Level(round(rms, 1), round(20 * math.log10(peak), 1), clipped=share > _CLIPPED_SHARE)


def sound_facts(levels: Sequence[Level], *, dtype: str, cancelled: int) -> dict[str, Any]:
    """Return the entry `sound` of bank.json.

    Args:
        levels: level of each clip.
        dtype: type of the samples.
        cancelled: number of clips whose channels cancel each other.
    """
    rms = sorted(level.rms for level in levels if level.rms is not None)
    peaks = sorted(level.peak for level in levels if level.peak is not None)
    return {
        "dtype": dtype,
        "clips": len(levels),
        "rms_dbfs": _distribution(rms),
        "peak_dbfs": _distribution(peaks),
        "cancelled": cancelled,
        "clipped": sum(level.clipped for level in levels),
        "quiet": sum(value < _QUIET_DBFS for value in rms),
        "silent": len(levels) - len(rms),
    }


def described(facts: Mapping[str, Any]) -> str:
    """Return the entry `sound` of bank.json as one line."""
    rms, peak = facts["rms_dbfs"], facts["peak_dbfs"]
    counts = ", ".join(f"{facts[key]} {key}" for key in ("cancelled", "clipped", "quiet", "silent"))
    return (
        f"{facts['clips']} clips of {facts['dtype']} sound: RMS {rms['median']} dBFS (median; "
        f"quietest 1 % {rms['quietest_1_percent']}), peaks {peak['median']} dBFS (median; quietest "
        f"1 % {peak['quietest_1_percent']}); {counts}"
    )


def warnings(facts: Mapping[str, Any]) -> Iterator[str]:
    """Yield a sentence for each fault that more than 1 % of the clips have."""
    sixteen = facts["dtype"] == "int16"
    remedy = "set dtype: float32 for this dataset if its files have more than 16 bits"
    faults = {
        "cancelled": "are 20 dB or more below their channels, which cancel each other when they "
        "are averaged: keep one of the channels only",
        "clipped": "have more than 1 % of their samples at full scale, so their peaks are cut off: "
        "make them quieter if the files themselves are whole",
        "quiet": f"are below {_QUIET_DBFS:.0f} dBFS (RMS), where 16 bits keep little of a sound: "
        f"{remedy}, or make them louder",
        "silent": f"hold zeros only: leave them out; {remedy} and are not silent",
    }
    if not sixteen:  # then nothing is lost
        del faults["clipped"], faults["quiet"]
        faults["silent"] = "hold zeros only: leave them out"
    for fault, says in faults.items():
        if facts[fault] > _WARNED_SHARE * facts["clips"]:
            share = 100 * facts[fault] / facts["clips"]
            yield f"{facts[fault]} of {facts['clips']} clips ({share:.1f} %, above 1 %) {says}"


def _distribution(values: Sequence[float]) -> dict[str, float | None]:
    """Return the median and the first percentile of sorted numbers, each one of the numbers."""
    if not values:
        return {"median": None, "quietest_1_percent": None}
    return {
        "median": values[(len(values) - 1) // 2],
        "quietest_1_percent": values[max(math.ceil(len(values) / 100) - 1, 0)],
    }
