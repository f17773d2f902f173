"""Time and memory of each step at the papers' sizes: `python benchmarks/scale.py`.

Each step runs in a process of its own, at its full size and at a fraction of it, on contents that
are made up and small. The ratios are those of the full to the small size. A step whose ratio of
times or memory exceeds its ratio of sizes grows faster than its input. Times are CPU seconds, child
processes included, because machines are shared; those of a browser are elapsed seconds. Memory is
the largest resident set of a process.

The planning steps run in a copy of the checkout. `plain workflow` shows what is Snakemake's own: as
many jobs, with as many outputs, and functions that return constants.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from scale_steps import STEPS, Step


def measure(step: Step, size: int, folder: str | None) -> dict[str, float]:
    """Return the seconds and the MB of a step, measured in a process of its own."""
    with tempfile.TemporaryDirectory(dir=folder) as name:
        command = [sys.executable, __file__, "--one", step.what, str(size), name]
        ran = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, float] = json.loads(ran.stdout.splitlines()[-1])
    return found


def run_one(what: str, size: int, folder: Path) -> None:
    """Run a step in this process, and print its seconds and MB."""
    step = next(step for step in STEPS if step.what == what)
    run = step.prepare(size, folder)
    Path("/proc/self/clear_refs").write_text("5")  # forget the largest resident set until here
    started = _cpu()
    elapsed = run()
    seconds = elapsed if isinstance(elapsed, float) else _cpu() - started
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "mb": max(_largest_resident(), children)}))


def main() -> None:
    """Print one line per step."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="*", help="steps; all if absent")
    parser.add_argument("--folder", help="where to write; a temporary folder if absent")
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        run_one(args.one[0], int(args.one[1]), Path(args.one[2]))
        return
    print(f"| {'step':25s} | {'size':>15s} | seconds |  MB | size x | time x | memory x |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    for step in STEPS:
        if args.only and step.what not in args.only:
            continue
        small, full = (measure(step, size, args.folder) for size in (step.small, step.full))
        ratios = (full[key] / max(small[key], 0.01) for key in ("seconds", "mb"))
        print(
            f"| {step.what:25s} | {step.full:7d} {step.unit:7s} | {full['seconds']:7.1f} "
            f"| {full['mb']:5.0f} | {step.full / step.small:.0f} "
            f"| {' | '.join(f'{ratio:.1f}' for ratio in ratios)} |",
            flush=True,
        )


def _cpu() -> float:
    uses = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(use.ru_utime + use.ru_stime for use in uses)


def _largest_resident() -> float:
    """Return the largest resident set of this process in MB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:"))


if __name__ == "__main__":
    main()
