"""``nacbench circuit``: the circuit of a finished run, drawn."""

from pathlib import Path
from typing import Annotated

import typer

from nacbench.cli.options import DataRoot, Plugins, data_root_of, load_plugins


def circuit(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run's folder or id.")],
    condition: Annotated[
        str | None, typer.Option(metavar="SENTENCE", help="Draw the circuit that this sentence makes.")
    ] = None,
    sentences: Annotated[
        int, typer.Option(metavar="N", help="Draw a map of the circuits of up to so many test sentences.")
    ] = 0,
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Where runs are kept.")] = Path("runs"),
    to: Annotated[Path, typer.Option(metavar="FOLDER", help="Where the pictures go.")] = Path("circuit"),
    data_root: DataRoot = None,
    plugin: Plugins = None,
) -> None:
    """Draw a circuit: its graph, its degrees beside the prior's, and who is linked to whom; GraphML for other tools."""
    load_plugins(plugin)
    from nacbench.circuits import configurations, learned_links, links_for
    from nacbench.files import whole_file
    from nacbench.report.circuit_plots import circuit_graph, draw_circuit, draw_map
    from nacbench.report.plots import save_figure
    from nacbench.results.store import locate
    from nacbench.trained import load_run

    loaded = load_run(locate(run, out))
    title = f"{loaded.record.task} · {loaded.record.model} · seed {loaded.record.seed}"
    if sentences:
        found = configurations(loaded, data_root_of(data_root), sentences)
        _tell(
            save_figure(draw_map(found.points, found.groups, f"circuits of {len(found.groups)} sentences"), to / "map")
        )
        return
    if condition is not None:
        links = links_for(loaded, condition, data_root_of(data_root))
        title = f"{title}: “{condition}”"
    else:
        links = learned_links(loaded)
    files = save_figure(draw_circuit(links.processor, links.readout, links.target, title), to / "circuit")
    import networkx as nx

    with whole_file(to / "circuit.graphml") as aside:
        nx.write_graphml(circuit_graph(links.processor, links.readout), aside)
    degrees = links.degrees
    typer.echo(
        f"{len(degrees)} modules, prior {links.prior}: expected degree {degrees.mean():.1f} "
        f"({degrees.min():.1f} to {degrees.max():.1f})"
    )
    _tell([*files, to / "circuit.graphml"])


def _tell(files: list[Path]) -> None:
    for file in files:
        typer.echo(str(file))
