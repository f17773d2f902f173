"""`fedssl show`: show the records and scores of one cell."""

import shlex
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fedssl.command.output import Config, Configfiles, Json, print_json, print_line, print_table

if TYPE_CHECKING:
    from fedssl.record.read import Record

_DIGITS = 16  # digits of a hash in the text; --json has all 64


def show(
    cell: Annotated[
        str, typer.Argument(help="Path of a cell, with or without <results>/pretrain/.")
    ],
    configfile: Configfiles = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """Show the scores, settings, files, hardware and cost of a cell, and how to rerun it."""
    from fedssl.command.project import open_project
    from fedssl.command.selection import read_cell, read_metrics

    results = open_project(configfile or [], config or []).tree.results
    found = read_cell(cell, results)
    metrics = [m for record in found.records.values() for m in read_metrics(record)]
    scores = [{**metric, "interval": _interval(metric)} for metric in metrics]
    if json:
        records = {name: record.content for name, record in found.records.items()}
        print_json({"cell": found.cell, "scores": scores, "records": records})
        return
    print_line(found.cell, style="bold")
    _print_scores(scores)
    for name, record in found.records.items():
        if name.startswith("pretrain/"):
            _print_record(record)
            _print_command(
                record, configfiles=configfile or [], config=config or [], results=results
            )


def _interval(score: Mapping[str, Any]) -> tuple[float, float]:
    """Return the 95 % interval of a score over its samples, in percent."""
    from fedssl.evaluation.statistics import accuracy_interval

    return accuracy_interval([score["value"]], [score["n_eval"]], averages_over_seeds=[])


def _print_scores(scores: Sequence[Mapping[str, Any]]) -> None:
    if not scores:
        return
    print_line()
    print_table(
        ("task", "protocol", "value", "95 % over samples", "n_eval"),
        [
            (s["task"], s["protocol"], f"{s['value']:.2f}", _text(*s["interval"]), s["n_eval"])
            for s in scores
        ],
    )


def _text(low: float, high: float) -> str:
    return f"{low:.2f} to {high:.2f}"


def _print_record(record: "Record") -> None:
    from fedssl.record.read import shown

    content = record.content
    _print_facts("job", _facts(content))
    _print_facts("settings", record.settings)
    for side in ("inputs", "outputs"):
        files = record.files(side).items()
        _print_facts(side, {shown(path, record.root): hash_[:_DIGITS] for path, hash_ in files})
    _print_facts("packages", content["packages"])


def _facts(content: Mapping[str, Any]) -> dict[str, Any]:
    from fedssl.command.estimate import size

    hardware, git = content["hardware"], content["git"]
    sent = {key: size(content[key]) for key in ("bytes_up", "bytes_down") if key in content}
    memory = {f"peak memory, {k}": f"{v:.0f} MB" for k, v in content["peak_memory_mb"].items()}
    return {
        "seed": content["wildcards"].get("seed"),
        "started": content["started"],
        "seconds": content["seconds"],
        "host": f"{hardware['host']}: {hardware['cores']} cores of {hardware['cpu']}",
        "gpu": hardware["gpu"] or "none",
        **memory,
        **sent,
        "commit": git["commit"] or "unknown",
        "uncommitted edits": git["dirty"],
        "python": content["python"],
        "digest": content["digest"],
    }


def _print_facts(heading: str, facts: Mapping[str, Any]) -> None:
    from fedssl.grid.settings_diff import flat

    print_line()
    print_line(heading, style="bold")
    print_table(("", ""), [(key, value) for key, value in flat(facts)])


def _print_command(
    record: "Record", *, configfiles: Iterable[Path], config: Sequence[str], results: str
) -> None:
    """Print the command that reruns a cell; `results` is the folder of the given configuration."""
    from fedssl.command.run_configuration import shipped_configfile

    model = next(
        (n for n in record.content["outputs"] if Path(n).name == "model.safetensors"), None
    )
    if model is None:
        return
    files = [str(file) for file in configfiles]
    # Without options, the shipped configuration that writes to the cell's folder is meant.
    if record.prefix != results and not (files or config):
        files = shipped_configfile(record.prefix)
        results = (record.prefix or "") if files else results
    print_line()
    print_line("rerun it with", style="bold")
    typer.echo(f"  {rerun_command(record, model, configfiles=files, config=config)}")
    if record.prefix != results:
        text = f"and the --configfile and --config of the run that wrote to {record.prefix}"
        print_line(f"{text}, because the command as it is writes to {results}", indent=2)


def rerun_command(
    record: "Record", output: str, *, configfiles: Sequence[str], config: Sequence[str]
) -> str:
    """Return the command that reruns only the job of an output."""
    options = ["--configfile", *configfiles] if configfiles else []
    options += ["--config", *config] if config else []
    # Snakemake lowers the threads of a job to --cores, and --config takes all words before `--`.
    threads = str(record.settings.get("threads", 1))
    return shlex.join(["snakemake", "--cores", threads, *options, "--force", "--", output])
