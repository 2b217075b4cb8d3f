"""``nacbench sweep search``: carry out the searches of a sweep to their end."""

from typing import TYPE_CHECKING, Any

import typer

from nacbench.cli.shared.asked import Asked, on_sweep
from nacbench.cli.shared.options import Json
from nacbench.cli.shared.planned import StartedAgain, causes_of, whole_plan_of
from nacbench.cli.shared.searches import tell_searches
from nacbench.cli.shared.warnings import warn
from nacbench.errors import UserError
from nacbench.formats.terminal import say, say_json

if TYPE_CHECKING:
    from nacbench.reporting.searched import Searched
    from nacbench.sweep.searching import Hunt


@on_sweep
def search(
    *,
    failed: StartedAgain = "oom,timeout,node",
    asked: Asked,
    as_json: Json = False,
) -> None:
    """Try settings for every model at random, or by successive halving, until the search of the sweep's file is done.

    Every model gets the same number of trials and the same budget. Scores are of validation examples. Stopped at any
    moment, the same command goes on, and ends with the same choice.
    """
    from nacbench.sweep.plan import require_data
    from nacbench.sweep.searching import Searcher

    planned, place = whole_plan_of(asked)
    if not planned.sweep.is_search:
        raise UserError(f"sweep {planned.sweep.name!r} has no search; start its runs with: {asked.command('submit')}")
    require_data(planned)
    told: set[str] = set()

    def warn_once(lines: Any) -> None:
        fresh = [line for line in lines if line not in told]
        told.update(fresh)
        warn(fresh)

    def show(hunt: "Hunt") -> None:
        for state in hunt.states:
            line = _progress(state)
            if line not in told:
                told.add(line)
                say(line, err=as_json)

    searcher = Searcher(planned, place, lambda line: say(line, err=as_json), show, warn_once, causes_of(failed))
    try:
        hunt = searcher.run()
    except KeyboardInterrupt:
        say("stopped; running runs have saved checkpoints: the same command goes on", err=True)
        raise typer.Exit(130) from None
    if as_json:
        say_json([_as_json(state) for state in hunt.states])
    else:
        tell_searches(hunt)
        if all(state.best for state in hunt.states):
            say(f"write the choices for a sweep with: nacbench tune {place.store} --to choices.yaml")
    if not all(state.is_over for state in hunt.states):
        say(f"not finished; {asked.command('logs')} shows why runs failed, --failed CAUSES starts them again", err=True)
        raise typer.Exit(1)


def _progress(state: "Searched") -> str:
    """Return where a search is, in one line."""
    own, last = state.search, state.rungs[-1]
    budget = f", {own.by}={last.budget}" if last.budget else ""
    return (
        f"{own.task} · {own.model}: rung {len(state.rungs)} of {len(own.budgets)}, {len(last.results)} trials{budget}"
    )


def _as_json(state: "Searched") -> dict[str, Any]:
    """Return a search as plain data: scores as in records, null where there is none."""
    own, best = state.search, state.best
    return {
        "task": own.task,
        "model": own.model,
        "size": own.size,
        "scale": own.scale,
        "method": own.method,
        "seed": own.seed,
        "seeds": list(own.seeds),
        "space": dict(own.space),
        "by": own.by,
        "budget": own.budget,
        "finished": state.is_over,
        "rungs": [
            {
                "budget": rung.budget,
                "trials": [
                    {
                        "trial": one.number,
                        "settings": dict(one.settings),
                        "score": one.score if one.is_over and not one.is_lost else None,
                        "failed": [failure.cause for failure in one.failures if failure.status == "failed"],
                    }
                    for one in rung.results
                ],
            }
            for rung in state.rungs
        ],
        "chosen": dict(best.settings) if best is not None else None,
        "at_the_edge": state.at_the_edge,
    }
