"""Figures of circuits: graph, degrees and link probabilities of one circuit, and a map of many sentences' circuits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nacbench.formats.escape import figure_text
from nacbench.inspection.configurations import NONE, SEVERAL, Configurations
from nacbench.reporting.figures.style import COLOURS, PAGE, SMALL, bare, figure_of, looks_of_models, styled

if TYPE_CHECKING:
    import networkx as nx
    from matplotlib.figure import Figure

LINKS_A_MODULE = 3  # the strongest links that each module receives; the matrix shows all
MOST_NUMBERS = 64  # modules with a number in the graph; of more, the numbers of half as many: others would cover them
MOST_TICKS = {"degrees": 16, "matrix": 32}  # numbers beside an axis of two and of three inches
NODE = 130.0  # area of a numbered module in square points
# Labels of sentences by what they say: a colour that is named in itself, as far as it can be seen, and nothing in grey
NAMESAKES = {"black": "#000000", "blue": "#0072B2", "yellow": "#E69F00", NONE: "0.75"}
LIGHT = ("#E69F00", "#CC79A7", "#56B4E9")  # colours on which numbers are black


def circuit_graph(processor: np.ndarray, readout: np.ndarray) -> nx.DiGraph:
    """Return a circuit as a directed graph, with link probabilities on its edges.

    Args:
        processor: link probabilities U×U (row: receiver).
        readout: link probabilities R×U.

    Returns:
        Nodes ``p0 …`` and ``r0 …`` with ``kind`` and, for processor modules, ``community``; edges from sender to
        receiver with ``probability``, without self-loops.
    """
    import networkx as nx

    graph = nx.DiGraph()
    community = communities(processor)
    for number in range(len(processor)):
        graph.add_node(f"p{number}", kind="processor", community=int(community[number]))
    for number in range(len(readout)):
        graph.add_node(f"r{number}", kind="readout")
    for prefix, matrix in (("p", processor), ("r", readout)):
        for receiver, row in enumerate(matrix):
            for sender, probability in enumerate(row):
                if prefix == "r" or receiver != sender:
                    graph.add_edge(f"p{sender}", f"{prefix}{receiver}", probability=float(probability))
    return graph


def communities(processor: np.ndarray) -> np.ndarray:
    """Return the community of each module: greedy modularity on link probabilities (Clauset, Newman and Moore 2004).

    Args:
        processor: link probabilities U×U.

    Returns:
        Community numbers U, from 0.
    """
    import networkx as nx

    weights = (processor + processor.T) / 2
    np.fill_diagonal(weights, 0)
    if len(weights) < 2:
        return np.zeros(len(weights), dtype=int)
    off_diagonal = weights[~np.eye(len(weights), dtype=bool)]
    # All modules are linked to some degree (at least exp(-2)), which hides the structure: subtract the median link
    weights = np.clip(weights - np.median(off_diagonal), 0, None)
    graph = nx.from_numpy_array(weights)
    found = np.zeros(len(processor), dtype=int)
    if graph.number_of_edges():
        groups = nx.algorithms.community.greedy_modularity_communities(graph, weight="weight")
        for number, members in enumerate(groups):
            found[list(members)] = number
    return found


def draw_circuit(processor: np.ndarray, readout: np.ndarray, target: np.ndarray | None, title: str) -> Figure:
    """Draw the graph's strongest links, the degrees beside the prior's, and all link probabilities by community.

    Args:
        processor: link probabilities U×U (row: receiver).
        readout: link probabilities R×U.
        target: the prior's graphon U×U, or None.
        title: of the figure.
    """
    community = communities(processor)
    with styled():
        figure = figure_of(PAGE, 7.6)
        above, below = figure.subfigures(2, 1, height_ratios=(4.2, 3.2), squeeze=False)[:, 0]
        graph_axes = above.subplots()
        degree_axes, matrix_axes = below.subplots(1, 2, width_ratios=(1, 1.45))
        _draw_graph(graph_axes, processor, readout, community)
        _draw_degrees(degree_axes, processor, target)
        _draw_matrix(below, matrix_axes, processor, community)
        figure.suptitle(figure_text(title, 120), x=0.01, ha="left")
    return figure


def draw_map(found: Configurations, title: str) -> Figure:
    """Draw circuits of sentences as points, with a panel for each attribute of the sentences, coloured by it."""
    with styled():
        rows = max(1, (len(found.attributes) + 1) // 2)
        figure = figure_of(PAGE, 0.3 + 2.6 * rows)
        panels = list(figure.subplots(rows, 2, squeeze=False).flat)
        for axes in panels:
            axes.set_axis_off()
        if not found.attributes:  # nothing tells these sentences apart
            panels[0].scatter(*found.points.T, s=9, color="0.4", linewidths=0)
        for axes, (name, labels) in zip(panels, found.attributes.items(), strict=False):
            _draw_attribute(axes, found.points, labels)
            own = found.agreement[name]
            heading = f"{name}: neighbours agree {100 * own.circuits.share:.0f} % (words {100 * own.words.share:.0f} %)"
            axes.set_title(figure_text(heading))
        figure.suptitle(figure_text(title))
    return figure


def _draw_attribute(axes: Any, points: np.ndarray, labels: Sequence[str]) -> None:
    names = sorted(set(labels), key=lambda name: (name in (SEVERAL, NONE), name))
    looks = looks_of_models(names)  # labels are told apart as models are: by colour and marker
    for name in names:
        own = points[[label == name for label in labels]]
        look = looks[name]
        colour = NAMESAKES.get(name, look.colour)
        axes.scatter(own[:, 0], own[:, 1], s=9, color=colour, marker=look.marker, label=figure_text(name), linewidths=0)
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1), handletextpad=0.2)


def _draw_graph(axes: Any, processor: np.ndarray, readout: np.ndarray, community: np.ndarray) -> None:
    import networkx as nx

    links = [(f"p{n}", sender, p) for n, row in enumerate(processor) for sender, p in _strongest(row, n)]
    links += [(f"r{n}", sender, p) for n, row in enumerate(readout) for sender, p in _strongest(row, None)]
    graph = nx.Graph()
    graph.add_nodes_from([*(f"p{n}" for n in range(len(processor))), *(f"r{n}" for n in range(len(readout)))])
    graph.add_edges_from((receiver, sender) for receiver, sender, _ in links)
    places = nx.spring_layout(graph, seed=0, iterations=200, k=1.6 / len(graph) ** 0.5)
    for receiver, sender, probability in links:
        (x0, y0), (x1, y1) = places[receiver], places[sender]
        axes.plot([x0, x1], [y0, y1], color="0.4", linewidth=0.6, alpha=0.1 + 0.7 * probability, zorder=0)
    named = np.argsort(-_degrees(processor), kind="stable")
    named = named if len(named) <= MOST_NUMBERS else named[: MOST_NUMBERS // 2]
    for number, group in enumerate(community):
        colour = COLOURS[group % len(COLOURS)]
        _draw_node(axes, places[f"p{number}"], str(number) if number in named else "", colour, "o")
    for number in range(len(readout)):
        _draw_node(axes, places[f"r{number}"], f"r{number}", "0.15", "s")
    axes.set_axis_off()
    axes.margins(0.04)
    strongest = f"{LINKS_A_MODULE} strongest links of each module" if links else "all links are equal, none is drawn"
    left_out = f"; numbers: the {len(named)} most linked" if len(named) < len(processor) else ""
    axes.set_title(f"{strongest} (colours: communities; squares: read-out{left_out})")


def _draw_node(axes: Any, place: Any, name: str, colour: str, marker: str) -> None:
    size = NODE if name else NODE / 3
    axes.scatter(
        *place, s=size, color=colour, marker=marker, edgecolors="white", linewidths=0.5, zorder=2 if name else 1
    )
    if name:
        light = colour in LIGHT
        axes.text(
            *place,
            name,
            ha="center",
            va="center_baseline",
            fontsize=SMALL,
            zorder=3,
            color="black" if light else "white",
        )


def _strongest(row: np.ndarray, own: int | None) -> list[tuple[str, float]]:
    """Return the senders with the highest link probabilities to a module, without the module itself.

    Those that are as likely as one that would be left out are left out, too: in a complete graph the first modules
    would look like hubs.
    """
    ordered = [number for number in np.argsort(-row, kind="stable").tolist() if number != own]
    rest = row[ordered[LINKS_A_MODULE]] if len(ordered) > LINKS_A_MODULE else -np.inf
    senders = [number for number in ordered[:LINKS_A_MODULE] if row[number] > rest]
    return [(f"p{number}", float(row[number])) for number in senders]


def _draw_degrees(axes: Any, processor: np.ndarray, target: np.ndarray | None) -> None:
    """Draw the degrees in decreasing order, whose shape shows the kind of graph."""
    degrees = _degrees(processor)
    order = np.argsort(-degrees, kind="stable")
    axes.plot(degrees[order], marker="o", markersize=2.5, linewidth=0.8, color=COLOURS[0], label="circuit")
    if target is not None:
        prior = np.sort(_degrees(target))[::-1]
        axes.plot(prior, linestyle="--", linewidth=1.0, color=COLOURS[3], label="prior")
        axes.legend()
    axes.set_ylim(0, 1.05 * axes.get_ylim()[1])
    axes.set_xlabel(f"module{_number(axes.xaxis, order, MOST_TICKS['degrees'])}")
    axes.tick_params(axis="x", rotation=90)
    axes.set_ylabel("expected degree")
    axes.set_title("degrees, most linked first")
    bare(axes)


def _degrees(links: np.ndarray) -> np.ndarray:
    """Return the expected number of other modules that each is linked to."""
    degrees: np.ndarray = links.sum(1) - np.diag(links)
    return degrees


def _draw_matrix(figure: Any, axes: Any, processor: np.ndarray, community: np.ndarray) -> None:
    """Draw all link probabilities but those of modules to themselves, which are 1 and would take the colours."""
    import matplotlib as mpl

    order = np.lexsort((-processor.sum(1), community))
    others = np.where(np.eye(len(processor), dtype=bool), np.nan, processor)
    top = float(np.nanmax(others)) if len(processor) > 1 else 1.0
    colours = mpl.colormaps["cividis"].with_extremes(bad="0.85")
    image = axes.imshow(others[np.ix_(order, order)], cmap=colours, vmin=0, vmax=top, interpolation="nearest")
    axes.set_xlabel(f"sender, by community{_number(axes.xaxis, order, MOST_TICKS['matrix'])}")
    axes.set_ylabel("receiver")
    _number(axes.yaxis, order, MOST_TICKS["matrix"])
    axes.tick_params(axis="x", rotation=90)
    axes.set_title("link probability (grey: to itself)")
    figure.colorbar(image, ax=axes, shrink=0.85)


def _number(axis: Any, order: np.ndarray, most: int) -> str:
    """Label an axis with modules' numbers, ``most`` at most; return words for those that are left out."""
    step = -(-len(order) // most)
    axis.set_ticks(range(0, len(order), step), [str(number) for number in order[::step]])
    return f" (one of {step} has its number)" if step > 1 else ""
