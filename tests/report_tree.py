"""Results trees that nobody computed: what a finished run leaves, for the report page to read."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fedssl.configuration import Layer, merge, merged, read_layers
from fedssl.experiments import Grid
from fedssl.files import digest, write_json, write_text
from fedssl.paths import Tree
from fedssl.reporting import gains
from fedssl.reporting.claims import write_claims
from fedssl.reporting.figures import write_loss_figure
from fedssl.reporting.page.write import write_page
from fedssl.reporting.paired_gain import ONE_SEED
from fedssl.reporting.tables import write_table
from fedssl.rules import specs
from fedssl.rules.page import PageRules
from fedssl.rules.report import ReportRules

ROOT = Path(__file__).parents[1]
SHIPPED = [ROOT / "config" / f"{name}.yaml" for name in ("config", "experiments", "datasets")]
PUBLISHED = sorted((ROOT / "config/published").glob("*.csv"))
N_EVAL = 1000


@dataclass
class ReportTree:
    """A results folder to be filled: `config` may be changed before `write`."""

    root: Path
    config: dict[str, Any]
    layers: list[Layer]
    host: str = "node-7"

    @classmethod
    def of(cls, root: Path, *files: str) -> "ReportTree":
        """Return the tree of the shipped configuration with these files of it on top."""
        layers = read_layers([*SHIPPED, *(ROOT / "config" / name for name in files)], {})
        own = {"results_dir": str(root / "results")}
        return cls(root, merge(merged(layers), own), layers)

    def write(self) -> Path:
        """Write everything up to the page, and return the page."""
        self._grid = Grid(self.config, self.layers)
        self._tree = Tree(self.config["results_dir"])
        published = ROOT / "config" / "published"
        self._report = ReportRules(self._grid, self._tree, published=published, figures=[])
        self._write_cells()
        self._write_tables()
        self._write_rest()
        return self._write_page()

    @property
    def page(self) -> Path:
        return self.root / "results/report/index.html"

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
            _write_rounds(folder / "rounds.csv", self._grid.settings(cell), modalities)
            facts = {"bytes_up": 44_927_488, "bytes_down": 44_927_488, "resumed_after_round": 0}
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

    def _write_tables(self) -> None:
        for name in self._report.tables:
            spec = specs.table_spec(self._grid, name, self._tree)
            for metric in _metric_files(spec):
                self._score(metric)
            base = Path(self._report.file(name))
            outputs = {kind: base.with_suffix(f".{kind}") for kind in ("csv", "md", "tex")}
            outputs["seeds"] = base.with_suffix(".seeds.json")
            write_table(spec, published=PUBLISHED, **outputs)
            self._record("table", _beside(base), [], list(outputs.values()), spec, {})

    def _score(self, metric: Path) -> None:
        """Write a metric file, once, and the record of the job that wrote it and its sisters."""
        if metric.is_file():
            return
        seed = int(digest(str(metric))[:8], 16)
        value = 100 * np.random.default_rng(seed).binomial(N_EVAL, 0.45) / N_EVAL
        data = {"task": metric.parent.name, "protocol": metric.stem, "value": value}
        data |= {"n_eval": N_EVAL, "parameters": 11_242_176, "rounds": [30]}
        write_json(metric, {**data, "predictions": f"{metric.stem}.parquet"})
        record = metric.with_name("provenance.json")
        if metric.stem == "fine-tune":
            record = _beside(metric)
        known = json.loads(record.read_text())["outputs"] if record.is_file() else {}
        outputs = [*map(Path, known), metric]
        self._record("evaluate", record, [], outputs, {"seed": 0, "knn": {"k": 200}}, {})

    def _write_rest(self) -> None:
        for study in self._report.studies:
            csv = Path(self._report.file(f"{study}_random_init"))
            pd.DataFrame(_gains(study), columns=list(gains.COLUMNS)).to_csv(csv, index=False)
            self._record("gains", _beside(csv), [], [csv], {}, {})
            svg = Path(self._report.file(f"{study}_loss")).with_suffix(".svg")
            spec = specs.loss_figure_spec(self._grid, study, self._tree)
            paths = {kind: svg.with_suffix(f".{kind}") for kind in ("pdf", "png", "svg")}
            write_loss_figure(spec, **paths)
            self._record("loss_figure", _beside(svg), [], list(paths.values()), spec, {})
        for file in map(Path, (self._tree.table("datasets"), *self._report.all_files)):
            if not _beside(file).is_file():
                self._write_other(file)
        tables = [self._report.file(name) for name in self._report.tables]
        claims = Path(self._tree.results) / "claims.csv"
        write_claims(ROOT / "config/claims.yaml", PUBLISHED, tables=tables, path=claims)

    def _write_other(self, file: Path) -> None:
        """Write a table or figure that the page shows whatever it holds."""
        if file.suffix == ".csv":
            pd.DataFrame({"row": ["ours"], "gain": [1.5]}).to_csv(file, index=False)
        else:
            file = file.with_suffix(".svg")
            write_text(file, '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"/>')
        self._record("other", _beside(file), [], [file], {}, {})

    def _write_page(self) -> Path:
        rules = PageRules(self._grid, self._tree, self._report)
        write_page(
            rules.spec(self.layers, shipped=len(SHIPPED)),
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


def _write_rounds(path: Path, settings: Mapping[str, Any], modalities: list[str]) -> None:
    federation = settings["federation"]
    rng = np.random.default_rng(settings["seed"])
    rows = [
        {
            "round": number,
            "client": client,
            "modality": modality,
            "samples": 100 + client,
            "steps": 5,
            "loss": 5 / number**0.2 + rng.normal(0, 0.05),
            "seconds": 1.0,
        }
        for number in range(1, federation.get("rounds", 5) + 1)
        for client in range(round(federation.get("clients", 1) * federation.get("fraction", 1)))
        for modality in modalities
    ]
    pd.DataFrame(rows).to_csv(path, index=False)


def _gains(study: str) -> list[tuple[Any, ...]]:
    tasks = "tiny-imagenet cifar10"
    return [
        (
            study,
            "FSSUAVL",
            "image",
            True,
            tasks,
            1,
            2000,
            3.5,
            1.25,
            5.75,
            ONE_SEED,
            True,
            "measured",
        ),
        (study, "FSSUAVL ViT", "image", True, tasks, 0, "", "", "", "", "", "", "not-run"),
    ]
