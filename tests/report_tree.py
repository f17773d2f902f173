"""Results trees that nobody computed: what a finished run leaves, for the report page to read."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fedssl.files import digest, write_json, write_text
from fedssl.grid.cells import Grid
from fedssl.grid.configuration import Layer, merge, merged, read_layers
from fedssl.grid.paths import ResultPaths
from fedssl.grid.plan import Plan
from fedssl.paper.certificate import write_certificate
from fedssl.paper.claims.claims import write_claims
from fedssl.paper.page.plan import page_spec
from fedssl.paper.page.write import write_page
from fedssl.paper.paired_gain import ONE_SEED
from fedssl.paper.plan import certificate_spec, tables
from fedssl.paper.products import contrasts, gains
from fedssl.paper.products.product import make
from fedssl.paper.products.registry import get_product, products
from fedssl.paper.rows import cell_axes
from tests.report_rows import contrast_rows, round_rows, write_examples, write_rounds

ROOT = Path(__file__).parents[1]
SHIPPED = [ROOT / "config" / f"{name}.yaml" for name in ("config", "experiments", "datasets")]
PUBLISHED = sorted((ROOT / "config/published").glob("*.csv"))
N_EVAL = 1000
SENT = 44_927_488  # bytes, by a client in a round


@dataclass
class ReportTree:
    """A results folder to be filled: `config` may be changed before `write`.

    Loss figures are empty drawings like the others unless `draws_losses`: each takes seconds.
    """

    root: Path
    config: dict[str, Any]
    layers: list[Layer]
    host: str = "node-7"
    draws_losses: bool = False

    @classmethod
    def of(cls, root: Path, *files: str) -> "ReportTree":
        """Return the tree of the shipped configuration with these files of it on top."""
        layers = read_layers([*SHIPPED, *(ROOT / "config" / name for name in files)], {})
        own = {"results_dir": str(root / "results")}
        return cls(root, merge(merged(layers), own), layers)

    def write(self) -> Path:
        """Write everything up to the page, and return the page."""
        self._grid = Grid(self.config, self.layers)
        self._tree = ResultPaths(self.config["results_dir"])
        shipped = len(SHIPPED)
        self._plan = Plan(self._grid, self._tree, ROOT, self.layers, shipped=shipped)
        self._write_cells()
        for kind, name in products(self._plan):
            self._write_product(kind, name)
        self._write_certificate()
        write_examples(self._plan)
        return self._write_page()

    @property
    def page(self) -> Path:
        return self.root / "results/report/index.html"

    @property
    def certificate(self) -> Path:
        return self.root / "results/certificate.md"

    def _write_cells(self) -> None:
        for cell in self._grid.cells:
            folder = Path(self._tree.model(cell)).parent
            shards = [
                self._shards(dataset, self._grid.sharding(cell), cell.seed)
                for dataset in self._grid.datasets(cell).values()
                if cell.federated
            ]
            write_text(folder / "model.safetensors", cell.path)
            modalities = list(self._grid.datasets(cell))
            write_rounds(folder / "rounds.csv", self._grid.settings(cell), modalities)
            visits = len(pd.read_csv(folder / "rounds.csv")[["round", "client"]].drop_duplicates())
            facts = {name: visits * SENT for name in ("bytes_up", "bytes_down")}
            facts |= {"client_memory_bytes": 0, "server_memory_bytes": SENT}
            facts |= {"clients_side_by_side": 1, "resumed_after_round": 0, "earlier_seconds": 0.0}
            outputs = [folder / "model.safetensors", folder / "rounds.csv"]
            settings = self._grid.settings(cell)
            rule = "pretrain" if cell.federated else "pretrain_centralised"
            self._record(rule, folder / "provenance.json", shards, outputs, settings, facts)

    def _shards(self, dataset: str, sharding: str, seed: int) -> Path:
        path = Path(self._tree.shards(dataset, sharding, seed))
        if not path.is_file():
            clients = int(sharding.rsplit("-", 1)[1])
            classes = self.config["datasets"][dataset]["classes"]
            rng = np.random.default_rng(seed)
            counts = rng.dirichlet([0.1] * clients, size=classes).T * 400
            content = {
                "clients": [],
                "dataset": dataset,
                "digest": digest([dataset, seed]),
                "dropped": 0,
                "histogram": counts.astype(int).tolist(),
                "seed": seed,
                "sharding": {"alpha": 0.1},
                "small_clients": [3],
            }
            write_json(path, content)
        return path

    def _write_product(self, kind: str, name: str) -> None:
        """Write a table or figure: really, with made-up rows, or as an empty drawing."""
        product = get_product(kind)
        spec, files = product.spec(self._plan, name), product.files(self._tree.results, name)
        files = {output: Path(path) for output, path in files.items()}
        if kind == "table":
            for metric in _metric_files(spec):
                self._score(metric)
        if kind in ("table", "datasets") or (kind == "loss_figure" and self.draws_losses):
            make(product, spec, files)
        else:
            self._make_up(kind, spec, files)
        record = Path(product.record(self._tree.results, name))
        read = [
            Path(path)
            for paths in product.inputs(self._plan, name).values()
            for path in ([paths] if isinstance(paths, str) else paths)
        ]
        inputs = [path for path in read if path.is_file()]
        self._record(kind, record, inputs, list(files.values()), spec, {})

    def _make_up(self, kind: str, spec: Mapping[str, Any], files: Mapping[str, Path]) -> None:
        if "svg" in files:
            write_text(files["svg"], '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"/>')
        if kind == "gains":
            rows = self._gains(spec["study"])
            pd.DataFrame(rows, columns=list(gains.COLUMNS)).to_csv(files["csv"], index=False)
        elif kind == "contrasts":
            rows = contrast_rows(spec)
            pd.DataFrame(rows, columns=list(contrasts.COLUMNS)).to_csv(files["csv"], index=False)
        elif kind == "rounds_figure":
            round_rows(spec).to_csv(files["csv"], index=False)
        elif kind == "communication":
            product = get_product(kind)
            product.write(spec, {name: files[name] for name in product.tables})
        elif kind == "silhouettes":
            for panel in spec["panels"]:
                for cell in panel["cells"]:
                    self._map(Path(cell["summary"]), Path(cell["points"]), list(spec["datasets"]))
            get_product(kind).write(spec, files)

    def _map(self, summary: Path, points: Path, datasets: list[str]) -> None:
        if not summary.is_file():
            values = {"features": 0.25, "map": 0.5}
            write_json(
                summary, {"silhouette": {"dataset": values, "modality": values}, "n_eval": 2000}
            )
            # Ten samples of each dataset on a line of its own, of two classes by turns.
            places = [(n, float(x), x % 2) for n in range(len(datasets)) for x in range(10)]
            rows = [(datasets[n], label, x, float(n)) for n, x, label in places]
            frame = pd.DataFrame(rows, columns=["dataset", "label", "x", "y"])
            frame.to_parquet(points)

    def _score(self, metric: Path) -> None:
        """Write a metric file, once, and the record of the job that wrote it and its sisters."""
        if metric.is_file():
            return
        seed = int(digest(str(metric))[:8], 16)
        value = 100 * np.random.default_rng(seed).binomial(N_EVAL, 0.45) / N_EVAL
        data = {"task": metric.parent.name, "protocol": metric.stem, "value": value}
        data |= {"n_eval": N_EVAL, "parameters": 11_242_176, "rounds": [30]}
        write_json(metric, {**data, "predictions": f"{metric.stem}.parquet"})
        if metric.stem == "knn":
            labels = np.arange(N_EVAL) % 10
            columns = {"position": np.arange(N_EVAL), "label": labels}
            frame = pd.DataFrame({**columns, "prediction": labels // 2 * 2})
            frame.to_parquet(metric.with_suffix(".parquet"))
        record = metric.with_name("provenance.json")
        if metric.stem == "fine-tune":
            record = _beside(metric)
        known = json.loads(record.read_text())["outputs"] if record.is_file() else {}
        outputs = [*map(Path, known), metric]
        bank = Path(self._tree.bank(metric.parent.name))
        self._record("evaluate", record, [bank], outputs, {"seed": 0, "knn": {"k": 200}}, {})

    def _write_certificate(self) -> None:
        claims = Path(self._tree.results) / "claims.csv"
        csvs = tables(self._plan, "table", "silhouettes")
        write_claims(ROOT / "config/claims.yaml", PUBLISHED, tables=csvs, path=claims)
        write_certificate(
            certificate_spec(self._plan),
            claims=claims,
            published=PUBLISHED,
            lock=ROOT / "requirements.lock",
            path=f"{self._tree.results}/certificate.md",
        )

    def _gains(self, study: str) -> list[tuple[Any, ...]]:
        """Return a row for each cell, measured but for the last."""
        tasks, rows = "tiny-imagenet cifar10", cell_axes(self._plan, study)
        gain = (1, 2000, 3.5, 1.25, 5.75, ONE_SEED, True)
        measured = [(study, row, "image", True, tasks, *gain, "measured") for row in rows]
        last = (*measured[-1][:5], 0, "", "", "", "", "", "", "not-run")
        return [*measured[:-1], last]

    def _write_page(self) -> Path:
        write_page(
            page_spec(self._plan),
            claims=f"{self._tree.results}/claims.csv",
            contradictions=str(ROOT / "config/contradictions.yaml"),
            published=list(map(str, PUBLISHED)),
            certificate=f"{self._tree.results}/certificate.md",
            path=self.page,
        )
        return self.page

    def _record(
        self,
        rule: str,
        path: Path,
        inputs: list[Path],
        outputs: list[Path],
        settings: Mapping[str, Any],
        facts: Mapping[str, Any],
    ) -> None:
        """Write a record as a job does, without hashing what nobody computed."""
        record = {
            "rule": rule,
            "wildcards": {},
            "settings": dict(settings),
            "inputs": {str(name): digest(str(name)) for name in inputs},
            "outputs": {str(name): digest(str(name)) for name in outputs},
            "sizes": {str(name): SENT for name in outputs},
            "sources": {f"src/fedssl/part{i}.py": digest([rule, i]) for i in range(30)},
            "code": {f"src/fedssl/part{i}.py": digest([rule, i])[:16] for i in range(30)},
            "git": {"commit": digest("commit")[:40], "dirty": False},
            "packages": {"numpy": "2.4.6", "torch": "2.11.0"},
            "python": "3.11.7",
            "hardware": {"host": self.host, "cpu": "a CPU", "cores": 8, "gpu": None},
            "started": "2026-11-21T10:55:10+00:00",
            "ended": "2026-11-21T11:55:10+00:00",
            "seconds": 3600.0,
            "peak_memory_mb": {"host": 893.5},
            **facts,
        }
        write_json(path, record | {"digest": digest(record)})


def _beside(path: Path) -> Path:
    return path.with_suffix(".provenance.json")


def _metric_files(spec: Mapping[str, Any]) -> Iterator[Path]:
    for row in spec["rows"]:
        for cell in row["cells"]:
            for paths in cell["metrics"].values():
                yield from map(Path, paths.values())
