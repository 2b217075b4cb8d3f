"""``nacbench sweep decide``: add seeds only where a comparison or claim is undecided, until a verdict."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from nacbench.cli.shared.asked import Asked, on_sweep
from nacbench.cli.shared.options import Json
from nacbench.cli.shared.outlooks import Progress, tell_outlook, tell_verdicts
from nacbench.cli.shared.outlooks import as_json as as_json_of
from nacbench.cli.shared.planned import StartedAgain, causes_of, whole_plan_of
from nacbench.errors import UserError
from nacbench.formats.terminal import say, say_json

if TYPE_CHECKING:
    from nacbench.reporting.paper.claims import Claim
    from nacbench.sweep.plan import Plan
    from nacbench.sweep.questions import Question

MOST_SEEDS = 1000


class Command(TyperCommand):
    """A command whose option ``--compare`` takes two words and can be given again, which typer cannot declare."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        next(own for own in self.params if own.name == "compare").nargs = 2


@on_sweep
def decide(
    *,
    budget: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="Start no run that would make it more than this much computing, in core-hours: 8h, 90min, 2d.  "
            "[dim]\\[no limit][/dim]",
        ),
    ] = None,
    compare: Annotated[
        list[Any] | None,
        typer.Option(
            metavar="A B",
            parser=lambda word: word,
            help="Compare these two models, or labels of series, on every task that has both; can be given again.  "
            "[dim]\\[default: the sweep's, or NAC with every other model][/dim]",
        ),
    ] = None,
    claims: Annotated[
        bool, typer.Option("--claims", help="Decide the paper's claims, as far as this sweep has their runs.")
    ] = False,
    claims_in: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Decide the claims in this file, as for nacbench claims --claims FILE."),
    ] = None,
    margin: Annotated[
        float | None,
        typer.Option(
            metavar="X",
            min=0,
            help="Differences up to this do not matter: better or worse by more than it, or equivalent. In points of "
            "an accuracy, otherwise in units of the metric. It is fixed before the first look.  "
            "[dim]\\[default: the sweep's, or 0][/dim]",
        ),
    ] = None,
    first: Annotated[int, typer.Option(metavar="N", min=1, max=MOST_SEEDS, help="Seeds before the first look.")] = 3,
    most: Annotated[
        int, typer.Option(metavar="N", min=1, max=MOST_SEEDS, help="Seeds at most; can be raised later.")
    ] = 20,
    futility: Annotated[
        bool,
        typer.Option(help="Give a comparison up after 8 seeds if more than 60 would be needed."),
    ] = True,
    failed: StartedAgain = "oom,timeout,node",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what it expects to need, and start nothing.")
    ] = False,
    asked: Asked,
    as_json: Json = False,
) -> None:
    """Add seeds where it is undecided which model is better, until it is decided.

    After every seed it looks at the differences so far, by a test that allows this: if models are equal, the
    probability that any comparison is ever decided wrongly is at most 5 %. Seeds are 0, 1, 2, …, whatever the sweep
    says. The cheapest decisive runs come first. Stopped at any moment, the same command goes on.
    """
    from nacbench.sweep.deciding import Decider, Limits

    seconds, causes = _core_seconds(budget), causes_of(failed)
    for pair in compare or []:
        if pair[1].startswith("-"):  # an option, taken for the second name
            raise UserError(f"--compare {pair[0]}: give two names of models or labels: --compare A B")
    planned, place = whole_plan_of(asked, seeds=range(most))
    beforehand = planned.sweep.decide
    limits = Limits(first, most, beforehand.margin if margin is None else margin, seconds, futility, causes)
    if planned.sweep.is_search:
        raise UserError(
            f"sweep {planned.sweep.name!r} is a search, which scores on validation examples: choose with nacbench "
            "tune, and decide between the models in a sweep with these choices"
        )
    of_claims = _claims(claims_in, papers=claims)
    # claims alone are no reason to compare what the sweep's file names, too
    pairs = compare or ([] if of_claims else beforehand.compare)
    questions = _questions(planned, pairs, of_claims)
    progress = Progress(limits, quiet=as_json)
    decider = Decider(planned, place, questions, limits, progress.say, progress.show, progress.warn)
    before = decider.look()
    if as_json and dry_run:
        say_json([as_json_of(one) for one in before.outlooks])
    elif not as_json:
        tell_outlook(planned.sweep.name, before, limits)
    if dry_run:
        return
    try:
        situation = decider.run()
    except KeyboardInterrupt:
        say("stopped; running runs have saved checkpoints: the same command goes on", err=True)
        raise typer.Exit(130) from None
    if as_json:
        say_json([as_json_of(one) for one in situation.outlooks])
    else:
        tell_verdicts(situation, limits)
    if any(one.stop == "failed" for one in situation.outlooks):
        raise typer.Exit(1)


def _core_seconds(budget: str | None) -> float | None:
    from nacbench.sweep.profile import minutes

    if budget is None:
        return None
    try:
        if budget.strip().isdecimal():  # minutes as a time limit of Slurm, while core-hours are what is asked for
            raise ValueError("no unit")
        return 60.0 * minutes(budget)
    except ValueError:
        raise UserError(
            f"--budget {budget}: write core-hours with a unit, such as 8h, 90min or 2d, from a minute to a year"
        ) from None


def _claims(file: Path | None, *, papers: bool) -> "list[Claim]":
    """Return the claims that are asked for: of a file, and the paper's."""
    from nacbench.reporting.paper.read_claims import claims_in, read_claims

    own = claims_in(file).claims if file is not None else []
    return [*own, *(read_claims().claims if papers else [])]


def _questions(planned: "Plan", pairs: Sequence[tuple[str, str]], claims: "Sequence[Claim]") -> "list[Question]":
    """Return what is asked: comparisons, unless only claims are, and claims."""
    from nacbench.sweep.plan import require_data
    from nacbench.sweep.questions import claim_questions, comparisons, entrants_of

    entrants = entrants_of(planned)
    found: list[Question] = []
    if pairs or not claims:
        require_data(planned)
        found += comparisons(entrants, pairs)
    if claims:
        found += claim_questions(entrants, claims, lambda line: say(line, err=True))
    return found
