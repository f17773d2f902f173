"""Find the hardware behind a table. The same settings can give other bits on other hardware."""

import importlib
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cache

from fedssl.audit.chain import Chain
from fedssl.audit.findings import Note
from fedssl.grid.paths import RECORD
from fedssl.portable import LIMITS
from fedssl.record.read import Record
from fedssl.record.write import hardware

_Machine = Mapping[str, str]  # cpu, gpu and instructions; empty if not recorded
_PORTABLE = " ".join(f"{name}={value}" for name, value in LIMITS.items())


def other_hardware(record: Record, chain: Chain) -> Iterator[Note]:
    """Yield a note if the jobs behind a table did not all run on hardware like this machine's.

    Only jobs that loaded torch count. The others copy, count and draw.
    """
    machines = [_machine(job) for job in chain.upstream(record)]
    used = [machine for machine in machines if machine["instructions"] or machine["gpu"]]
    counts, here = Counter(map(_name, used)), this_machine()
    if len(counts) > 1 or any(_differs(machine, here) for machine in used):
        ran = ", ".join(f"{count} on {name}" for name, count in counts.most_common())
        what = f"rests on jobs on other hardware: {ran}; this machine is {_name(here)}"
        yield Note(record.name.removesuffix(f".{RECORD}"), what)


def ran_elsewhere(record: Record) -> bool:
    """Return whether a job ran on another CPU than this machine's."""
    return bool(_machine(record)["cpu"] != this_machine()["cpu"])


@cache
def this_machine() -> _Machine:
    """Return the hardware of this machine as a record names it."""
    # Records name the instruction set and the GPU in torch's words.
    importlib.import_module("torch")
    return {key: str(value or "") for key, value in hardware().items()}


def _machine(record: Record) -> _Machine:
    # A forged record can have anything here.
    said = record.content.get("hardware")
    named = said if isinstance(said, dict) else {}
    return {key: str(named.get(key) or "") for key in ("cpu", "gpu", "instructions")}


def _name(machine: _Machine) -> str:
    """Return a machine's CPU with its instruction set, and its GPU."""
    instructions = machine["instructions"].replace(_PORTABLE, "portable")
    return " ".join(filter(None, (machine["cpu"], f"({instructions})", machine["gpu"])))


def _differs(job: _Machine, here: _Machine) -> bool:
    """Return whether a job ran on another CPU, GPU or instruction set than this machine's."""
    # An instruction set that variables limited says nothing about the machine.
    keys = ("cpu", "gpu") if " " in job["instructions"] else ("cpu", "gpu", "instructions")
    return any(job[key] != here[key] for key in keys)
