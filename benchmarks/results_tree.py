"""Makes up the results folder of a whole grid: real records, tables and shards, random numbers."""

import contextlib
import shutil
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fedssl.command.project import Project
from fedssl.data.banks.bank import open_bank
from fedssl.data.banks.partial_bank import open_partial_bank
from fedssl.data.banks.writer import HEADER_BYTES, write_bank
from fedssl.data.samples import Sample
from fedssl.data.sharding import write_shards
from fedssl.files import write_json
from fedssl.grid.cell import Cell
from fedssl.grid.paths import FEATURE_PROTOCOLS, RECORD, archive_record, folder_record, record_of
from fedssl.grid.plan import Plan
from fedssl.paper.claims.claims import write_claims
from fedssl.paper.products.registry import get_product
from fedssl.record.inputs import Inputs
from fedssl.record.read import CHECKOUT
from fedssl.record.write import code_facts, write_provenance

_CLASSES = 4
_CODE = CHECKOUT / "src/fedssl/aggregators"


class ResultsTree:
    """Writes below the working directory what the workflow would, job by job."""

    def __init__(self, project: Project, *, model_bytes: int, samples: int) -> None:
        """Take the grid from a project; `samples` are what each task scores."""
        self._grid, self._tree = project.grid, project.tree
        self._plan = Plan(self._grid, self._tree, CHECKOUT)
        self._model_bytes, self._samples = model_bytes, samples
        self._random = np.random.default_rng(0)

    def write(self) -> None:
        """Write everything, in the order in which jobs would run."""
        for dataset in self._datasets():
            self._bank(dataset)
        for cell in self._grid.cells:
            self._pretrain(cell)
        for path, scored in sorted(self._metrics().items()):
            self._score(path, scored)
        for name in self._grid.config["tables"]:
            self._product("table", name)
        for study in self._grid.config["studies"]:
            self._product("gains", f"{study}_random_init")
            self._product("loss_figure", f"{study}_loss")
        self._claims()

    def _datasets(self) -> set[str]:
        used = {
            dataset for cell in self._grid.cells for dataset in self._grid.datasets(cell).values()
        }
        studies = self._grid.config["studies"]
        return used | {task.dataset for study in studies for task in self._grid.tasks(study)}

    def _bank(self, dataset: str) -> None:
        entry = self._grid.config["datasets"][dataset]
        folder = Path(self._tree.bank(dataset)).parent
        data = self._grid.config["data_dir"]
        archives = [
            f"{data}/archives/{dataset}/{archive['file']}" for archive in entry["archives"].values()
        ]
        for archive in map(Path, archives):
            archive.parent.mkdir(parents=True, exist_ok=True)
            archive.write_bytes(self._random.bytes(1000))
            self._record("acquire", archive_record(archive), [], [str(archive)])
        modality = entry["modality"]
        state = folder.parent / f"{dataset}.state"
        with open_partial_bank(state / "v1", key=dataset, start=HEADER_BYTES) as partial:
            write_bank(
                self._members(modality, list(entry["splits"])),
                folder,
                dataset=dataset,
                modality=modality,
                num_classes=_CLASSES,
                counts=dict.fromkeys(entry["splits"], self._samples),
                max_bad_share=0.0,
                partial=partial,
            )
        shutil.rmtree(state)
        outputs = sorted(map(str, folder.iterdir()))
        self._record("bank", f"{folder}/{RECORD}", archives, outputs, dataset=dataset)

    def _members(self, modality: str, splits: list[str]) -> Iterator[Sample]:
        for split in splits:
            for place in range(self._samples):
                if modality == "image":
                    data = self._random.integers(0, 256, (4, 4, 3), dtype=np.uint8)
                else:
                    data = self._random.integers(-99, 99, 9).astype(np.int16)
                yield Sample(f"{split}{place}", f"class{place % _CLASSES}", split, data)

    def _pretrain(self, cell: Cell) -> None:
        inputs = []
        for modality, dataset in self._grid.datasets(cell).items():
            inputs.append(self._tree.bank(dataset))
            if cell.federated:
                inputs.append(self._shards(cell, dataset))
            if modality == "audio":
                inputs.append(self._normalisation(cell.study, dataset))
        model, rounds = Path(self._tree.model(cell)), Path(self._tree.rounds(cell))
        model.parent.mkdir(parents=True)
        model.write_bytes(self._random.bytes(self._model_bytes))
        rounds.write_text("round,client,modality,samples,steps,loss,seconds\n1,0,image,9,1,0.5,1\n")
        self._record(
            "pretrain" if cell.federated else "pretrain_centralised",
            folder_record(model),
            inputs,
            [str(model), str(rounds)],
            settings=self._grid.settings(cell),
            facts={"bytes_up": 1000, "bytes_down": 1000},
            **_axes(cell),
        )

    def _shards(self, cell: Cell, dataset: str) -> str:
        path = self._tree.shards(dataset, self._grid.sharding(cell), cell.seed)
        if not Path(path).exists():
            settings = {**self._grid.settings(cell)["sharding"], "clients": 4, "min_samples": 0}
            bank = self._tree.bank(dataset)
            write_shards(open_bank(Path(bank).parent), path, sharding=settings, seed=cell.seed)
            record = record_of(path)
            self._record("shards", record, [bank], [path], settings={**settings, "seed": cell.seed})
        return path

    def _normalisation(self, study: str, dataset: str) -> str:
        path = self._tree.normalisation(study, dataset)
        if not Path(path).exists():
            write_json(path, {"clips": 9, "mean": -8.5, "std": 6.25})
            record = record_of(path)
            self._record("normalisation", record, [self._tree.bank(dataset)], [path])
        return path

    def _metrics(self) -> dict[str, tuple[Cell, str, str]]:
        """Return every metric file that a table or a comparison reads, and what it is of."""
        found = {}
        for cell in self._grid.cells:
            for task in self._grid.tasks(cell.study):
                for protocol in (*FEATURE_PROTOCOLS, "fine-tune"):
                    path = self._tree.metric(cell, task.task, protocol)
                    found[path] = (cell, task.task, protocol)
                for protocol in FEATURE_PROTOCOLS:
                    path = self._tree.random_init_metric(cell, task.task, protocol)
                    found[path] = (cell, task.task, protocol)
        return found

    def _score(self, path: str, scored: tuple[Cell, str, str]) -> None:
        cell, task, protocol = scored
        declared = self._grid.task(cell.study, task)
        bank = open_bank(Path(self._tree.bank(declared.dataset)).parent)
        positions = bank.indices(declared.split)
        columns = {"position": positions, "label": bank.labels[positions]}
        if protocol == "retrieval":
            columns |= {f"hit@{k}": self._random.random(len(positions)) < 0.5 for k in (1, 5)}
            right, metric = columns["hit@1"], "R@1"
        else:
            columns["prediction"] = self._random.integers(0, _CLASSES, len(positions))
            right, metric = columns["prediction"] == columns["label"], "top-1 accuracy"
        samples = Path(path).with_suffix(".parquet")
        samples.parent.mkdir(parents=True, exist_ok=True)
        pd.DataFrame(columns).to_parquet(samples, index=False)
        identity = {"study": cell.study, "task": task, "seed": cell.seed}
        value = {"value": 100.0 * float(right.mean()), "n_eval": len(positions), "metric": metric}
        write_json(path, identity | value | {"protocol": protocol, "predictions": samples.name})
        inputs = [self._tree.bank(declared.dataset)]
        inputs += [] if "random-init" in path else [self._tree.model(cell)]
        record = record_of(path)
        self._record(
            "evaluate",
            record,
            inputs,
            [path, str(samples)],
            settings={"split": declared.split},
            study=cell.study,
            task=task,
        )

    def _product(self, kind: str, name: str) -> None:
        """Write the tables of a product, and random bytes for its figure."""
        product, results = get_product(kind), self._tree.results
        spec, files = product.spec(self._plan, name), product.files(results, name)
        for kind_of_file, path in files.items():
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            if kind_of_file not in product.tables:
                Path(path).write_bytes(self._random.bytes(1000))
        if product.write:
            product.write(spec, {suffix: files[suffix] for suffix in product.tables})
        inputs = [path for paths in product.inputs(self._plan, name).values() for path in paths]
        existing = [path for path in inputs if Path(path).is_file()]
        record = product.record(results, name)
        self._record(kind, record, existing, files.values(), settings=spec, product=name)

    def _claims(self) -> None:
        config, results = CHECKOUT / "config", self._tree.results
        published = sorted(map(str, (config / "published").glob("*.csv")))
        tables = [f"{results}/tables/{name}.csv" for name in self._grid.config["tables"]]
        path, claims = f"{results}/claims.csv", f"{config}/claims.yaml"
        write_claims(claims, published, tables=tables, path=path)
        record = record_of(f"{results}/claims.csv")
        seeds = [table.replace(".csv", ".seeds.json") for table in tables]
        self._record("claims", record, [claims, *published, *tables, *seeds], [path])

    def _record(
        self,
        rule: str,
        path: str,
        inputs: Iterable[str],
        outputs: Iterable[str],
        *,
        settings: Mapping[str, Any] | None = None,
        facts: Mapping[str, Any] | None = None,
        **wildcards: str,
    ) -> None:
        write_provenance(
            path,
            rule=rule,
            wildcards=wildcards,
            settings=settings or {},
            inputs=Inputs(inputs).digests(),
            outputs=outputs,
            code=code_facts([_CODE / "fedavg.py"]),
            started=datetime.now(UTC),
            facts=facts or {},
        )


def write_results_tree(
    project: Project, folder: Path, *, model_bytes: int = 1000, samples: int = 40
) -> Path:
    """Write a finished results folder below `folder`; return it."""
    folder.mkdir(parents=True, exist_ok=True)
    with contextlib.chdir(folder):
        ResultsTree(project, model_bytes=model_bytes, samples=samples).write()
    return folder / project.tree.results


def _axes(cell: Cell) -> dict[str, str]:
    return {axis: str(value) for axis, value in cell.all_axes.items()}
