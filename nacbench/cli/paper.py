"""``nacbench paper`` and ``nacbench claims``: reproduce the paper's tables and judge its claims from runs."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nacbench.cli.shared.asked import Asked
from nacbench.cli.shared.choice import OnlyModels, OnlyTasks, Where
from nacbench.cli.shared.completion import complete_scale
from nacbench.cli.shared.options import DataRoot, Json, Plugins, data_root_of, load_plugins
from nacbench.cli.shared.tuned import ChoiceFiles, choices_of
from nacbench.cli.shared.warnings import warn
from nacbench.formats.terminal import say, say_json, say_text

if TYPE_CHECKING:
    from nacbench.recording.choice import Choice
    from nacbench.recording.row import Run
    from nacbench.reporting.paper.verdicts import Finding

app = typer.Typer(
    help="The paper's tables: the runs they need, the runs that are missing, and ours beside the published figures."
)
Stores = Annotated[list[Path] | None, typer.Option(metavar="FOLDER", help="Folder of runs; can be given again.")]
RUNS = Path("runs")


@app.callback(invoke_without_command=True)
def paper(context: typer.Context) -> None:
    """List the paper's tables."""
    if context.invoked_subcommand:
        return
    from nacbench.cli.shared.tables import print_table
    from nacbench.reporting.paper.published import read_published

    tables = read_published().tables
    print_table(["table", "what", "suite"], [[name, table.title, table.suite] for name, table in tables.items()])
    say("Build a table: nacbench paper table NAME. Judge the paper's claims: nacbench claims")


@app.command()
def table(
    name: Annotated[str, typer.Argument(metavar="NAME", help="See: nacbench paper.")],
    out: Stores = None,
    scale: Annotated[
        str,
        typer.Option(
            autocompletion=complete_scale, help="Scale of the runs; published figures stand beside paper only."
        ),
    ] = "paper",
    to: Annotated[Path | None, typer.Option(metavar="FOLDER", help="Write Markdown, LaTeX and CSV there.")] = None,
    task: OnlyTasks = None,
    model: OnlyModels = None,
    where: Where = None,
    data_root: DataRoot = None,
    choices: ChoiceFiles = None,
) -> None:
    """Build one of the paper's tables from the finished runs, and say how many of its runs are missing."""
    from nacbench.contracts.task import SCALES
    from nacbench.errors import unknown
    from nacbench.filesystem.files import write_text
    from nacbench.formats.escape import csv_of
    from nacbench.reporting.paper.published import paper_table
    from nacbench.reporting.paper.tables import build
    from nacbench.sweep.read_sweep import read_sweep

    wanted = paper_table(name)
    if scale not in SCALES:
        raise unknown("scale", scale, SCALES)
    stores = out or [RUNS]
    choice = _choice(task, model, where)
    runs = _runs(stores, choice)
    if scale == "paper":
        say(_plan(Asked(wanted.suite, stores[0], data_root=data_root)))
    tasks = list(dict.fromkeys(config.task.name for config in read_sweep(wanted.suite).expand()))
    built = build(name, runs, tasks, scale, choices_of(choices), choice)
    for number, own in enumerate((built.main, *built.special)):
        say("", *([f"## {own.title}", ""] if number else []))
        say_text(own.text())
        if to is not None:
            stem = name if not number else f"{name}-{own.name}"
            write_text(to / f"{stem}.md", own.markdown())
            write_text(to / f"{stem}.tex", own.latex())
            write_text(to / f"{stem}.csv", csv_of(own.frame))


def claims(
    stores: Annotated[list[Path] | None, typer.Argument(metavar="[FOLDER…]", help="Folders of runs; runs/.")] = None,
    own: Annotated[
        Path | None, typer.Option("--claims", metavar="FILE", help="Judge the claims in this file, not the paper's.")
    ] = None,
    task: OnlyTasks = None,
    model: OnlyModels = None,
    where: Where = None,
    choices: ChoiceFiles = None,
    plugin: Plugins = None,
    as_json: Json = False,
) -> None:
    """Judge each of the paper's claims from runs: reproduced, weaker than claimed, not shown, or contradicted.

    Runs of another scale, another task or another recipe only agree or disagree with a claim, or leave it undecided.
    Models that were not treated equally say nothing. Everything goes by the 95 % interval over shared seeds.
    """
    from nacbench.cli.shared.tables import print_table
    from nacbench.reporting.paper.read_claims import claims_in, read_claims
    from nacbench.reporting.paper.verdicts import judge

    load_plugins(plugin)
    content = read_claims() if own is None else claims_in(own)
    choice = _choice(task, model, where)
    runs, tuned = _runs(stores or [RUNS], choice), choices_of(choices)
    findings = [judge(claim, runs, tuned) for claim in content.claims]
    if as_json:
        chosen = {"chosen": str(choice)} if choice else {}
        say_json({"source": content.source, **chosen, "claims": [_as_json(one) for one in findings]})
        return
    rows = [[one.claim.name, one.verdict, one.effect or "—", one.scale or "—", one.why] for one in findings]
    print_table(["claim", "verdict", "measured", "scale", "why"], rows)
    for one in findings:
        say(f"{one.claim.name}: {one.claim.model} {one.claim.says}.")
    say(*choice.notes())
    say(f"Claims: {content.source}. The runs of each verdict: nacbench claims --json")


def _as_json(finding: "Finding") -> dict[str, Any]:
    from nacbench.reporting.paper.claims import Trade

    number = finding.value == finding.value  # JSON has no NaN
    return {
        **finding.claim.model_dump(),
        **({} if isinstance(finding.claim, Trade) else {"bar": finding.claim.bar}),
        "verdict": finding.verdict,
        "effect": finding.effect,
        "value": finding.value if number else None,
        "half_width_95": finding.half_width if number else None,
        "scale": finding.scale,
        "why": finding.why,
        "runs": list(finding.runs),
    }


def _choice(task: list[str] | None, model: list[str] | None, where: list[str] | None) -> "Choice":
    from nacbench.recording.choice import Choice

    return Choice(task or (), model or (), where or ())


def _runs(stores: list[Path], choice: "Choice") -> "list[Run]":
    """Return the chosen finished runs; none if the default folder does not exist.

    Raises:
        UserError: if a folder that the user named does not exist, or no run is chosen.
    """
    from nacbench.recording.index import read_runs

    if stores == [RUNS] and not RUNS.is_dir():
        return []
    found = read_runs(*stores)
    warn(found.broken)
    return list(choice.of(found).runs)


def _plan(asked: Asked) -> str:
    """Return one line: how many of a suite's runs are done, and the command that lists the others."""
    from nacbench.sweep.observer import Observer
    from nacbench.sweep.plan import make_plan
    from nacbench.sweep.read_sweep import read_sweep
    from nacbench.sweep.state import counts

    plan = make_plan(read_sweep(asked.sweep), data_root_of(asked.data_root))
    observer = Observer(asked.out)
    states = counts(observer.standings(plan.runs))
    warn(observer.broken)
    dataless = len(plan.runs) - states.total()
    words = [f"{number} {state}" for state, number in sorted(states.items())]
    listed = ", ".join([*words, *([f"{dataless} without data"] if dataless else [])])
    rest = "" if set(states) <= {"done", "skipped"} and not dataless else f"; see {asked.command('plan')}"
    return f"{asked.sweep}: {listed}{rest}"
