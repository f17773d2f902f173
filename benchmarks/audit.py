"""How long the audit of the whole grid takes: `python benchmarks/audit.py --model-mb 45`.

Writes a results folder of the shipped grid with made-up numbers and models of the given size, and
audits it; prints what it takes to hash the models alone beside it.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

from results_tree import write_results_tree

from fedssl.audit.audit import audit
from fedssl.command.project import open_project
from fedssl.files import sha256


def main() -> None:
    """Print the size of the folder, the seconds of an audit, and the speed of hashing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model-mb", type=float, default=1.0)
    parser.add_argument("--samples", type=int, default=2000, help="scored samples a task")
    parser.add_argument("--folder", default=None, help="where to write; a temporary one if absent")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        project = open_project([])
        root = write_results_tree(
            project, Path(folder), model_bytes=int(args.model_mb * 1e6), samples=args.samples
        )
        files = [path for path in root.rglob("*") if path.is_file()]
        size = sum(path.stat().st_size for path in files) / 1e6
        started = time.perf_counter()
        result = audit(root)
        seconds = time.perf_counter() - started
        print(f"{len(project.grid.cells)} cells, {len(result.records)} jobs, {len(files)} files")
        print(f"{size:.0f} MB audited in {seconds:.1f} s; passed: {result.passed}")
        model = next(root.glob("pretrain/**/model.safetensors"))
        started = time.perf_counter()
        sha256(model)
        print(f"SHA-256 of one model: {args.model_mb / (time.perf_counter() - started):.0f} MB/s")


if __name__ == "__main__":
    main()
