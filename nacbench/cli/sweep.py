"""``nacbench sweep``: plan, submit and watch many runs, on this machine or on a Slurm cluster."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nacbench.cli.shared.asked import Asked, on_sweep
from nacbench.cli.shared.completion import complete_run
from nacbench.cli.shared.options import Json
from nacbench.cli.shared.planned import causes_of, hunt_of, plan_of, whole_plan_of
from nacbench.cli.shared.searches import tell_budget, tell_searches
from nacbench.cli.shared.states import print_logs, print_states, states_as_json
from nacbench.cli.shared.tables import counted
from nacbench.cli.shared.warnings import warn
from nacbench.errors import UserError
from nacbench.formats.terminal import say, say_json

if TYPE_CHECKING:
    from nacbench.recording.record import Cause
    from nacbench.sweep.costs import Costs
    from nacbench.sweep.plan import Plan, PlannedRun
    from nacbench.sweep.state import Standing, State
    from nacbench.sweep.submitting import Held, Submitted

WAS = {"failed": "failed", "cancelled": "was cancelled"}
AGAIN = "error,oom,disk,timeout,node,attempts"  # what retry starts again by itself; the same seed diverges again

app = typer.Typer(
    no_args_is_help=True,
    help="Many runs, on this machine or on a Slurm cluster. Finished runs are not computed again.",
    epilog="SWEEP is a YAML file or a suite: nacbench sweep suites lists them. Start with: "
    "[bold]nacbench sweep plan smoke[/bold]",
)


@app.callback()
def _group() -> None:
    pass


@app.command()
def suites() -> None:
    """List the sweeps that come with nacbench."""
    from nacbench.cli.shared.tables import print_table
    from nacbench.sweep.plan import counts_of
    from nacbench.sweep.read_sweep import read_sweep
    from nacbench.sweep.read_sweep import suites as names

    rows = []
    for name in names():
        sweep = read_sweep(name)
        wanted, extra = counts_of(sweep)
        rows.append([name, str(wanted), f"+ {extra}" if extra else "", sweep.description])
    print_table(["suite", "runs", "train these", "what"], rows, right={1, 2})
    say("Train these: runs besides that only train the networks of others.")


@app.command()
@on_sweep
def plan(
    *,
    asked: Asked,
    like: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FOLDER",
            help="Estimate what it costs by the finished runs in this folder, too; can be given again.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Print what submit would start, what is done, which data is missing, and what the rest will cost (a dry run)."""
    from nacbench.sweep.observer import Observer

    _require_folders(like or [])
    planned, place = whole_plan_of(asked)
    hunt = hunt_of(planned, place)
    planned = hunt.plan if hunt else planned
    observer = Observer(place.store)
    standings = observer.standings(planned.runs)
    warn(observer.broken)
    if hunt and like:
        raise UserError(f"--like {like[0]}: a search is estimated by its own trials; leave --like out")
    folders = _distinct([place.store, *(like or [])])
    if as_json:
        costs = _costs_by(folders)
        rows = states_as_json(planned, standings)
        each = (costs.of(run) for run in planned.runs)
        say_json([{**row, "core_seconds": seconds} for row, seconds in zip(rows, each, strict=True)])
        return
    wanted = sum(run.is_wanted for run in planned.runs)
    extra = len(planned.runs) - wanted
    say(f"{planned.sweep.name}: {counted(wanted, 'run')}{f', and {extra} that train their networks' if extra else ''}")
    print_states(planned, standings)
    missing = Counter(run.problem for run in planned.runs if run.problem and not run.is_unsuited)
    for problem, number in missing.items():
        say(f"no data for {counted(number, 'run')}: {problem}")
    skipped: dict[tuple[str, str], dict[str, None]] = {}
    for run in planned.runs:
        if run.is_unsuited:
            skipped.setdefault((run.config.model.name, str(run.problem)), {})[run.config.task.name] = None
    for (model, reason), tasks in sorted(skipped.items()):
        which = next(iter(tasks)) if len(tasks) == 1 else f"{len(tasks)} tasks ({', '.join(sorted(tasks))})"
        say(f"skipped: {model} cannot do {which}: {reason}")
    if hunt:
        tell_budget(hunt)
        say(f"carry the search out with: {asked.command('search')}")
        return
    left = [run for run in planned.doable if standings[run.key].state not in ("done", "skipped", "no data")]
    _tell_costs(left, folders)
    if _startable(planned, standings)[0]:
        say(f"start them with: {asked.command('submit')}")


def _require_folders(folders: Sequence[Path]) -> None:
    """Refuse a folder that does not exist, before minutes of planning."""
    for folder in folders:
        if not folder.is_dir():
            raise UserError(f"--like {folder}: no such folder; name one that holds runs, such as runs/")


def _tell_costs(left: "Sequence[PlannedRun]", folders: Sequence[Path]) -> None:
    """Print what runs will cost, by the finished runs in some folders."""
    from nacbench.formats.text import duration

    seconds, unknown = _costs_by(folders).total(left)
    if seconds:
        say(f"about {duration(seconds)} of one core's computing left, estimated from finished runs")
    if unknown:
        where = " or ".join(map(str, folders))
        say(f"no estimate for {counted(unknown, 'run')}: no similar run is done in {where}")


def _distinct(folders: Sequence[Path]) -> list[Path]:
    """Return each folder once, by the first of its names."""
    from nacbench.filesystem.files import resolved

    return list({resolved(folder): folder for folder in reversed(folders)}.values())[::-1]


def _costs_by(folders: Sequence[Path]) -> "Costs":
    """Return what runs cost, by the finished runs in some folders, which may not exist yet."""
    from nacbench.recording.index import look_at_runs
    from nacbench.sweep.costs import Costs

    return Costs(look_at_runs(*(folder for folder in folders if folder.is_dir())).runs)


@app.command()
@on_sweep
def submit(
    *,
    asked: Asked,
    allow_missing: Annotated[
        bool, typer.Option("--allow-missing", help="Start the runs whose data is there, and skip the others.")
    ] = False,
) -> None:
    """Start all runs that are missing: not done, queued, running, failed or cancelled.

    On Slurm, submit returns at once. Submitting again starts only runs that are missing then.
    """
    _submit(asked, allow_missing=allow_missing)


@app.command()
@on_sweep
def resume(*, asked: Asked) -> None:
    """Start missing and cancelled runs; every run resumes from its last checkpoint."""
    _submit(asked, also=("cancelled",), allow_missing=True)


@app.command()
@on_sweep
def retry(
    *,
    failed: Annotated[
        str,
        typer.Option(
            metavar="CAUSES",
            help="Causes of failure: error, diverged, oom, disk, timeout, node, attempts; separated by commas.",
        ),
    ] = AGAIN,
    asked: Asked,
) -> None:
    """Start failed and missing runs; earlier failures are kept in the runs' folders.

    Runs that diverged are started again only if --failed names that cause: the same seed diverges again.
    """
    _submit(asked, retry=causes_of(failed), allow_missing=True)


@app.command()
@on_sweep
def status(
    *,
    asked: Asked,
    as_json: Json = False,
) -> None:
    """Print the state of every run, from the runs' folders and, if it answers, Slurm."""
    from nacbench.sweep.failure_files import note_failures
    from nacbench.sweep.observer import Observer
    from nacbench.sweep.state import causes_of_failure

    whole, place = whole_plan_of(asked)
    observer = Observer(place.store)
    standings = observer.standings(whole.runs)
    note_failures(whole, place, observer, standings)
    warn(observer.broken)
    hunt = hunt_of(whole, place)  # after failures were noted: they end trials
    planned = hunt.plan if hunt else whole
    if as_json:
        say_json(states_as_json(planned, standings))
        return
    print_states(planned, standings)
    if observer.is_silent:
        warn([f"{observer.silence}; states come from files alone"])
    for run in planned.runs:
        standing = standings.get(run.key)
        if standing and standing.state not in ("done", "planned", "skipped", "no data"):
            cause = f" ({standing.cause})" if standing.cause else ""
            attempts = f", attempt {standing.attempts}" if standing.attempts > 1 else ""
            say(f"{standing.state}{cause}  {run.title}{attempts}: {standing.detail or 'waiting'}")
    if hunt:
        tell_searches(hunt)
    by_state = Counter(standings[run.key].state for run in planned.runs if run.run_id)
    if by_state["failed"]:
        say(f"logs of failed runs: {asked.command('logs')}")
    _tell_failed(asked, causes_of_failure(standings[run.key] for run in planned.doable))
    startable, held = _startable(planned, standings)
    if startable:
        say(f"start missing runs with: {asked.command('submit')}")
    _tell_held(asked, held)
    if by_state["cancelled"]:
        say(f"resume cancelled runs with: {asked.command('resume')}")


@app.command()
@on_sweep
def logs(
    *,
    run: Annotated[
        str | None,
        typer.Argument(metavar="RUN", autocompletion=complete_run, help="A run's id or its first characters."),
    ] = None,
    lines: Annotated[int, typer.Option(min=1, max=1_000_000, help="Lines from the end of each file.")] = 20,
    asked: Asked,
) -> None:
    """Print traceback and last log lines of one run, or of all failed and lost runs."""
    from nacbench.sweep.observer import Observer

    planned, place = plan_of(asked)
    observer = Observer(place.store)
    standings = observer.standings(planned.runs)
    named = [r for r in planned.runs if r.run_id and run and r.run_id.startswith(run)]
    if run and not named:
        raise UserError(f"sweep {planned.sweep.name!r} has no run {run!r}; {asked.command('status')} --json lists them")
    chosen = named or [r for r in planned.runs if r.run_id and standings[r.key].state in ("failed", "lost")]
    if not chosen:
        say("no run has failed")
    for one in chosen:
        print_logs(observer, one, place.store, lines)


@app.command()
@on_sweep
def cancel(*, asked: Asked) -> None:
    """Stop queued and running runs; nacbench sweep resume continues them from their checkpoints.

    Processes of this machine that do not end within 30 seconds are killed. Runs that no sweep started go on.
    """
    from nacbench.machine.ending import PATIENCE_SECONDS
    from nacbench.sweep.cancelling import cancel as cancel_runs

    planned, place = plan_of(asked)
    cancelled = cancel_runs(planned, place)
    for line in cancelled.left:
        say(f"not cancelled: {line}", err=True)
    if cancelled.killed:
        say(f"killed {counted(cancelled.killed, 'run')} that did not end within {PATIENCE_SECONDS:.0f} s")
    if cancelled.runs:
        say(f"cancelled {counted(len(cancelled.runs), 'run')}")
        say(f"resume them with: {asked.command('resume')}")
    elif not cancelled.left:
        say("no run is queued or running")
    if cancelled.left:
        raise typer.Exit(1)


def _submit(
    asked: Asked,
    *,
    also: "tuple[State, ...]" = (),
    retry: "tuple[Cause, ...]" = (),
    allow_missing: bool = False,
) -> None:
    from nacbench.recording.searches import begin
    from nacbench.sweep.plan import require_data
    from nacbench.sweep.submitting import submit as submit_runs

    whole, place = whole_plan_of(asked)
    hunt = hunt_of(whole, place)
    planned = hunt.plan if hunt else whole
    if not allow_missing:
        require_data(planned)
    if hunt:
        begin(place.store, (state.search for state in hunt.states))
    try:
        submitted = submit_runs(planned, place, say, also=also, retry=retry, warn=warn)
    except KeyboardInterrupt:
        say("stopped; running runs have saved checkpoints: submit again to resume", err=True)
        raise typer.Exit(130) from None
    _tell(asked, planned, submitted)
    hunt = hunt_of(whole, place) if hunt else None
    if hunt and not all(state.is_over for state in hunt.states):
        say(f"the search is not finished; go on with its next runs until it is: {asked.command('search')}")


def _startable(planned: "Plan", standings: "Mapping[str, Standing]") -> "tuple[list[PlannedRun], list[Held]]":
    """Return the missing runs that submit would start, and those that it would not."""
    from nacbench.sweep.state import MISSING
    from nacbench.sweep.submitting import ready

    return ready([run for run in planned.doable if standings[run.key].state in MISSING], standings)


def _tell_held(asked: Asked, held: "Sequence[Held]") -> None:
    """Print what is left for later as the network that it needs is not there, and how that comes."""
    for (state, cause), count in Counter((one.state, one.cause) for one in held).items():
        runs = counted(count, "run")
        if state in ("failed", "cancelled"):
            both = _retry(asked, cause) if cause else asked.command("resume")
            was = "diverged" if cause == "diverged" else WAS[state]
            say(f"left for later: {runs}, as the run that trains the network {was}; start both with: {both}")
        else:
            say(f"left for later: {runs}, as another run trains the network ({state}); submit again when it is done")


def _retry(asked: Asked, cause: "Cause") -> str:
    """Return the command that starts runs again that have failed for a cause."""
    words = asked.command("retry")
    return words if cause in AGAIN.split(",") else f"{words} --failed {cause}"


def _tell_failed(asked: Asked, causes: "Mapping[Cause, int]") -> None:
    """Print how failed runs are started again, and of those that retry leaves alone why."""
    others = sum(number for cause, number in causes.items() if cause != "diverged")
    if others:
        say(f"{counted(others, 'run')} failed; start again with: {asked.command('retry')}")
    if diverged := causes.get("diverged"):
        way = f"if it is to be computed all the same: {_retry(asked, 'diverged')}"
        say(f"{counted(diverged, 'run')} diverged, and the same seed diverges again; {way}")


def _tell(asked: Asked, planned: "Plan", submitted: "Submitted") -> None:
    _tell_held(asked, submitted.held)
    if not submitted.started:
        left = submitted.held or submitted.failed
        say("nothing was started" if left else "no run is missing; nothing was started")
        _tell_failed(asked, submitted.failed)
        return
    if submitted.done is None:
        jobs = ", ".join(dict.fromkeys(s.job_number() or "?" for s in submitted.submissions))
        say(f"{planned.sweep.name}: {counted(submitted.started, 'run')} submitted to Slurm (jobs {jobs})")
        say(f"see their states with: {asked.command('status')}")
        return
    say(f"{planned.sweep.name}: {submitted.done} of {submitted.started} runs done")
    if submitted.done < submitted.started:
        say(f"logs of failed runs: {asked.command('logs')}", err=True)
        raise typer.Exit(1)
