"""`fedssl power`: predict what a run with a number of seeds can decide."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from math import isfinite
from typing import TYPE_CHECKING, Annotated

import typer

from fedssl.command.output import Config, Configfiles, Json, print_json, print_line, print_table
from fedssl.errors import UserError

if TYPE_CHECKING:
    from fedssl.command.expected_verdicts import ExpectedClaim, ExpectedTable
    from fedssl.grid.plan import Plan
    from fedssl.paper.simulated_runs import PrintedTables
    from fedssl.paper.verdicts.power import Scatter

_ASSUMED = (0.3, 0.7, 1.0)  # points
_MOST_SEEDS = 100  # more would take minutes


@dataclass(frozen=True)
class Prediction:
    """What a run decides if seeds scatter by `sd` points; `origin` is where `sd` comes from."""

    sd: float
    origin: str
    tables: "Sequence[ExpectedTable]"
    claims: "Sequence[ExpectedClaim]"

    @property
    def decided(self) -> int:
        """The number of claims that count as decided."""
        from fedssl.command.expected_verdicts import DECIDED

        return sum(claim.decided >= DECIDED for claim in self.claims)


def power(
    seeds: Annotated[
        int | None,
        typer.Option(
            metavar="COUNT",
            help="Number of seeds of each cell. Default: those of the configuration.",
        ),
    ] = None,
    sd: Annotated[
        float | None,
        typer.Option(
            metavar="POINTS",
            help="Standard deviation of a seed, in points. Default: that of the results folder; "
            "without results with several seeds, 0.3, 0.7 and 1.0.",
        ),
    ] = None,
    configfile: Configfiles = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """Predict which published numbers and claims a run with this many seeds can decide.

    Simulates runs in which the published numbers are true. Trains nothing.
    """
    _check(seeds, sd)
    from fedssl.command.project import open_project, project_folder
    from fedssl.grid.plan import Plan

    project = open_project(configfile or [], config or [])
    plan = Plan(project.grid, project.tree, project_folder())
    seeds = seeds or len(project.config["seeds"])
    resolution = project.config["verdicts"]["resolution"]
    papers = _papers(plan)
    predictions = [
        _predict(papers, scatter, seeds=seeds, resolution=resolution, origin=origin)
        for scatter, origin in _scatters(sd, plan, papers)
    ]
    left_out = [claim for tables in papers for claim in tables.left_out]
    if json:
        print_json(_as_data(predictions, left_out, seeds=seeds, resolution=resolution))
        return
    _print_tables(predictions, seeds=seeds, resolution=resolution)
    print_line()
    _print_claims(predictions, left_out)
    if project.grid.scale["scale"] != "paper":
        print_line("This configuration is scaled: its own numbers get the verdict `scaled`.")
    _print_decided(predictions, seeds=seeds)


def _check(seeds: int | None, sd: float | None) -> None:
    """Raise UserError for an option that is out of range."""
    if seeds is not None and not 1 <= seeds <= _MOST_SEEDS:
        raise UserError(f"--seeds is {seeds}; it must be from 1 to {_MOST_SEEDS}.")
    if sd is not None and not (sd > 0 and isfinite(sd)):
        raise UserError(f"--sd is {sd:g}; it must be a number of points above 0.")


def _papers(plan: "Plan") -> "list[PrintedTables]":
    """Return the tables of each study; raise UserError if no printed number is measured."""
    from fedssl.paper.simulated_runs import printed_tables

    papers = [printed_tables(plan, study) for study in plan.studies]
    if not any(numbers for tables in papers for numbers in tables.compared.values()):
        raise UserError("This configuration measures no number that the papers print.")
    return papers


def _scatters(
    sd: float | None, plan: "Plan", papers: "Sequence[PrintedTables]"
) -> "list[tuple[Scatter, str]]":
    """Return how seeds may scatter, and where each is known from."""
    from fedssl.command.expected_verdicts import measured_scatter
    from fedssl.paper.verdicts.power import Scatter

    if sd is not None:
        return [(Scatter(sd), "--sd")]
    if measured := measured_scatter(plan, papers):
        return [(measured, f"measured in {plan.paths.results}")]
    return [(Scatter(value), "assumed") for value in _ASSUMED]


def _predict(
    papers: "Sequence[PrintedTables]",
    scatter: "Scatter",
    *,
    seeds: int,
    resolution: float,
    origin: str,
) -> Prediction:
    from fedssl.command.expected_verdicts import expected_claims, expected_tables

    tables, claims = [], []
    for own in papers:
        tables += expected_tables(own, seeds=seeds, scatter=scatter, resolution=resolution)
        claims += expected_claims(own, seeds=seeds, scatter=scatter)
    return Prediction(scatter.sd, origin, tables, claims)


def _as_data(
    predictions: Sequence[Prediction], left_out: Sequence[str], *, seeds: int, resolution: float
) -> Mapping[str, object]:
    from fedssl.command.expected_verdicts import CLAIM_RUNS, DECIDED, TABLE_RUNS

    return {
        "seeds": seeds,
        "resolution": resolution,
        "runs": {"tables": TABLE_RUNS, "claims": CLAIM_RUNS},
        "decided_from": DECIDED,
        "claims_left_out": left_out,
        "predictions": [{**asdict(one), "decided": one.decided} for one in predictions],
    }


def _print_tables(predictions: Sequence[Prediction], *, seeds: int, resolution: float) -> None:
    from fedssl.command.expected_verdicts import TABLE_RUNS

    print_line(
        f"Published numbers: {TABLE_RUNS} simulated runs with {_seeds(seeds)}, all faithful to the "
        "papers. `width` is that of the narrowest and the widest prediction interval, in points; "
        f"wider than {resolution:g} is inconclusive. About 5 % differ by chance. Untrained "
        "encoders are assumed at half of the lowest number of a column; fine-tuned ones may come "
        "closer."
    )
    columns = ("table", "numbers", "width", "seeds needed")
    for one in predictions:
        print_line()
        print_line(
            f"Standard deviation of a seed in points: {one.sd:.3g} ({one.origin})", style="bold"
        )
        print_table(
            (*columns, "reproduced", "differs", "inconclusive"), map(_table_row, one.tables)
        )


def _print_claims(predictions: Sequence[Prediction], left_out: Sequence[str]) -> None:
    from fedssl.command.expected_verdicts import CLAIM_RUNS

    print_line(
        f"Claims: share of {CLAIM_RUNS} simulated runs that decide them rightly. `margin` is the "
        "smallest in print, in points."
    )
    print_line()
    header = ("claim", "in print", "margin", *(f"sd {one.sd:.3g}" for one in predictions))
    print_table(header, map(_claim_row, zip(*(one.claims for one in predictions), strict=True)))
    print_line()
    if any(claim.printed == "marginal" for claim in predictions[0].claims):
        print_line(
            "marginal: holds on average, but a single cell is less than 1 point below; either "
            "verdict counts as right."
        )
    if left_out:
        print_line(
            f"{len(left_out)} more claims use numbers that the papers do not print or that this "
            "configuration does not measure; --json lists them."
        )


def _table_row(table: "ExpectedTable") -> tuple[object, ...]:
    low, high = table.widths or (0.0, 0.0)
    width = f"{low:.1f} to {high:.1f}" if table.widths else "unknown"
    shares = (table.reproduced, table.differs, table.inconclusive)
    return (
        *(table.table, table.numbers, width, table.seeds_needed or "none"),
        *(_percent(share) for share in shares),
    )


def _claim_row(claims: "Sequence[ExpectedClaim]") -> tuple[object, ...]:
    first = claims[0]
    shares = (_percent(claim.decided) for claim in claims)
    return (first.claim, first.printed, f"{first.margin:.2f}", *shares)


def _seeds(seeds: int) -> str:
    return f"{seeds} seed{'s' if seeds > 1 else ''}"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _print_decided(predictions: Sequence[Prediction], *, seeds: int) -> None:
    from fedssl.command.expected_verdicts import DECIDED

    for one in predictions:
        sd = f" (sd {one.sd:g})" if len(predictions) > 1 else ""
        print_line(
            f"With {_seeds(seeds)}, {one.decided} of {len(one.claims)} claims are decided in "
            f"at least {_percent(DECIDED)} of runs{sd}."
        )
