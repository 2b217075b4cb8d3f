"""``nacbench circuit``: draw the graph and the attention of a finished run's circuit."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nacbench.cli.shared.completion import complete_run
from nacbench.cli.shared.options import DataRoot, Plugins, data_root_of, load_plugins
from nacbench.cli.shared.tables import print_table
from nacbench.errors import UserError
from nacbench.formats.terminal import say, say_text

if TYPE_CHECKING:
    from nacbench.inspection.trained import TrainedRun


def circuit(
    run: Annotated[str, typer.Argument(metavar="RUN", autocompletion=complete_run, help="A run's folder or id.")],
    condition: Annotated[
        str | None, typer.Option(metavar="SENTENCE", help="Draw the circuit that is generated from this sentence.")
    ] = None,
    sentences: Annotated[
        int, typer.Option(metavar="N", min=0, max=100_000, help="Draw a map of the circuits of up to N test sentences.")
    ] = 0,
    check: Annotated[
        bool,
        typer.Option(
            "--check", help="Measure whether paraphrases give similar circuits, and whether the sentence matters."
        ),
    ] = False,
    paraphrases: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="For --check: on each line a sentence, a tab and its paraphrase."),
    ] = None,
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Where runs are kept.")] = Path("runs"),
    to: Annotated[Path, typer.Option(metavar="FOLDER", help="Where figures are written.")] = Path("circuit"),
    data_root: DataRoot = None,
    plugin: Plugins = None,
) -> None:
    """Draw a circuit: its graph, the degrees of its modules beside the prior's, its link probabilities, the tokens that
    modules attend to, and the attention flow from tokens to the prediction. Write the graph as GraphML, too."""
    load_plugins(plugin)
    from nacbench.filesystem.files import whole_file
    from nacbench.inspection.circuit_plots import circuit_graph, draw_circuit
    from nacbench.inspection.links import learned_links, links_for, unknown_words, words_cut
    from nacbench.inspection.trained import load_run
    from nacbench.recording.locate import locate
    from nacbench.reporting.figures.saving import save_figure

    if paraphrases is not None and not check:
        raise UserError("--paraphrases is for --check; add it, or leave the file out")
    if condition is not None and (check or sentences):
        other = "--check" if check else "--sentences"
        raise UserError(f"--condition draws the circuit of one sentence, {other} looks at many; give one of them")
    loaded = load_run(locate(run, out))
    title = f"{loaded.record.task} · {loaded.record.model} · seed {loaded.record.seed}"
    if check:
        _check(loaded, data_root_of(data_root), paraphrases, to)
    if sentences:
        _map(loaded, data_root_of(data_root), sentences, to)
    if check or sentences:
        return
    if condition is not None:
        links = links_for(loaded, condition, data_root_of(data_root))
        if unknown := unknown_words(loaded, condition, data_root_of(data_root)):
            say(f"warning: words that are not in the task's vocabulary: {', '.join(unknown)}", err=True)
        if cut := words_cut(loaded, condition):
            say(f"warning: words beyond the number that the task takes are left out: {' '.join(cut)}", err=True)
        title = f"{title}: “{condition}”"
    else:
        links = learned_links(loaded)
        title += "" if links.prior == "none" else f" · prior {links.prior}"
    files = save_figure(draw_circuit(links.processor, links.readout, links.target, title), to / "circuit")
    import networkx as nx

    with whole_file(to / "circuit.graphml") as aside:
        nx.write_graphml(circuit_graph(links.processor, links.readout), aside)
    degrees = links.degrees
    files += _draw_attention(loaded, data_root_of(data_root), condition, to, title)
    say(
        f"{len(degrees)} modules, prior {links.prior}: expected degree {degrees.mean():.1f} "
        f"({degrees.min():.1f} to {degrees.max():.1f})"
    )
    if condition is None:
        say_text(_fit(loaded))
    _tell([*files, to / "circuit.graphml"])


def _fit(run: "TrainedRun") -> str:
    """Return lines on how training changed the degrees, and how near the graph came to its prior."""
    import math

    from nacbench.inspection.links import prior_fit

    fit = prior_fit(run)
    degrees = (
        f"degrees beside those before training: Kolmogorov-Smirnov D = {fit.degree_shift:.2f}, p = {fit.p:.2g} "
        "(a hint alone: degrees of one graph are no independent draws)"
    )
    if math.isnan(fit.trained):
        return degrees
    return (
        f"{degrees}\ndistance to the prior {fit.trained:.4f}; before training {fit.untrained:.4f}, "
        f"smallest that link probabilities can reach {fit.nearest:.4f}: {100 * fit.way:.0f} % of the way"
    )


def _check(run: "TrainedRun", data_root: Path, paraphrases: Path | None, to: Path) -> None:
    """Print both checks, and write them to check.json."""
    import dataclasses

    from nacbench.filesystem.files import write_json
    from nacbench.inspection.links import sentence_task
    from nacbench.inspection.sentences import check, made_pairs, read_pairs

    sentence_task(run)  # before paraphrases are asked for, which would not help a circuit without sentences
    if paraphrases is None and run.record.task != "nlvr-synthetic":
        raise UserError(
            f"--check needs --paraphrases FILE for task {run.record.task}: lines of sentence, tab, paraphrase"
        )
    pairs = read_pairs(paraphrases) if paraphrases else made_pairs(150)
    found = check(run, data_root, pairs)
    if found.left_out:
        say(f"warning: {found.left_out} of {len(pairs)} pairs are left out: no word is in the vocabulary", err=True)
    say(
        f"the circuit of a paraphrase is nearer than that of another sentence (95 % intervals over "
        f"{found.words.sentences} sentences; chance: 50 %):"
    )
    say(f"  links: {found.links.text()}; before training {found.untrained_links.text()}")
    say(f"  codes: {found.codes.text()}; before training {found.untrained_codes.text()}")
    say(f"  word counts, without a network: {found.words.text()}")
    say(
        f"accuracy on {found.examples:,} examples: {100 * found.accuracy:.1f} % with their sentences, "
        f"{100 * found.shuffled:.1f} % with those of other examples"
    )
    to.mkdir(parents=True, exist_ok=True)
    write_json(to / "check.json", {"run_id": run.record.run_id, **dataclasses.asdict(found)})
    _tell([to / "check.json"])


def _map(run: "TrainedRun", data_root: Path, count: int, to: Path) -> None:
    """Draw the map of sentences, and print and write their nearest-neighbour agreement by attribute."""
    import dataclasses

    from nacbench.filesystem.files import write_json
    from nacbench.inspection.circuit_plots import draw_map
    from nacbench.inspection.configurations import configurations
    from nacbench.reporting.figures.saving import save_figure

    found = configurations(run, data_root, count)
    title = f"circuits of {len(found.sentences)} sentences"
    files = save_figure(draw_map(found, title), to / "map")
    say(f"{title}: how often nearest neighbours agree (95 % bootstrap intervals over sentences)")
    print_table(
        ["attribute", "circuits", "before training", "word counts", "chance"],
        [
            [name, one.circuits.text(), one.untrained.text(), one.words.text(), f"{100 * one.chance:.1f} %"]
            for name, one in found.agreement.items()
        ],
        right={1, 2, 3, 4},
    )
    agreement = {name: dataclasses.asdict(one) for name, one in found.agreement.items()}
    write_json(
        to / "map.json", {"run_id": run.record.run_id, "sentences": len(found.sentences), "agreement": agreement}
    )
    _tell([*files, to / "map.json"])


def _draw_attention(run: "TrainedRun", data_root: Path, sentence: str | None, to: Path, title: str) -> list[Path]:
    """Draw which tokens the modules attend to, and the attention between modules, on a few examples."""
    from nacbench.inspection.attention import read
    from nacbench.inspection.attention_plots import draw_flow, draw_reading
    from nacbench.reporting.figures.saving import save_figure

    found = read(run, data_root, sentence)
    files = save_figure(draw_reading(found, f"{title}: what the circuit looks at"), to / "reading")
    return files + save_figure(draw_flow(found, f"{title}: attention"), to / "flow")


def _tell(files: list[Path]) -> None:
    for file in files:
        say(str(file))
