"""The command of the fault campaign. Its exit code is 1 if a fault was silent."""

import argparse
import sys
from pathlib import Path

from benchmarks.chaos.campaign import campaign, soak
from benchmarks.chaos.outcome import Outcome

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100, help="number of SIGKILLs")
    parser.add_argument("--seed", type=int, default=0, help="of all that is drawn")
    parser.add_argument("--soak", type=int, default=0, help="demo runs of two users, instead")
    parser.add_argument("--folder", type=Path, default=Path(".chaos"), help="work folder")
    asked = parser.parse_args()
    folder = asked.folder.resolve()
    if asked.soak:
        found = soak(folder, runs=asked.soak, seed=asked.seed)
    else:
        found = campaign(folder, kills=asked.kills, seed=asked.seed)
    sys.exit(any(fault.outcome is Outcome.SILENT for fault in found))
