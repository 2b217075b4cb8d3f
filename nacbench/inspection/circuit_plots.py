"""Figures of circuits: graph, degrees and link probabilities of one circuit, and a map of many sentences' circuits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nacbench.formats.escape import figure_text
from nacbench.reporting.figures.style import styled

if TYPE_CHECKING:
    import networkx as nx
    from matplotlib.figure import Figure

LINKS_A_MODULE = 3  # the strongest links that each module receives; the matrix shows all


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
    from matplotlib.figure import Figure

    community = communities(processor)
    with styled():
        figure = Figure(figsize=(11, 3.8), layout="constrained")
        graph_axes, degree_axes, matrix_axes = figure.subplots(1, 3, width_ratios=(1.25, 1, 1.1))
        _draw_graph(graph_axes, processor, readout, community)
        _draw_degrees(degree_axes, processor, target)
        _draw_matrix(figure, matrix_axes, processor, community)
        figure.suptitle(figure_text(title, 120))
    return figure


def draw_map(points: np.ndarray, groups: Sequence[str], title: str) -> Figure:
    """Draw circuits of sentences as points N×2, coloured by group."""
    import seaborn as sns
    from matplotlib.figure import Figure

    names = sorted(set(groups))
    colours = sns.color_palette("colorblind", max(len(names), 2))
    with styled():
        figure = Figure(figsize=(5.2, 4.2), layout="constrained")
        axes = figure.subplots()
        for number, name in enumerate(names):
            own = points[[group == name for group in groups]]
            marker = "os^Dv<>"[number % 7]
            axes.scatter(
                own[:, 0], own[:, 1], s=12, color=colours[number], marker=marker, label=figure_text(name), linewidths=0
            )
        axes.set_xticks([])
        axes.set_yticks([])
        axes.set_title(figure_text(title), loc="left")
        axes.legend(frameon=False, fontsize=8, loc="upper left", bbox_to_anchor=(1, 1))
        sns.despine(ax=axes, left=True, bottom=True)
    return figure


def _draw_graph(axes: Any, processor: np.ndarray, readout: np.ndarray, community: np.ndarray) -> None:
    import networkx as nx
    import seaborn as sns

    links = [(f"p{n}", sender, p) for n, row in enumerate(processor) for sender, p in _strongest(row, n)]
    links += [(f"r{n}", sender, p) for n, row in enumerate(readout) for sender, p in _strongest(row, None)]
    graph = nx.Graph()
    graph.add_nodes_from([*(f"p{n}" for n in range(len(processor))), *(f"r{n}" for n in range(len(readout)))])
    graph.add_edges_from((receiver, sender) for receiver, sender, _ in links)
    places = nx.spring_layout(graph, seed=0, iterations=200, k=1.6 / len(graph) ** 0.5)
    colours = sns.color_palette("colorblind", 10)
    for receiver, sender, probability in links:
        (x0, y0), (x1, y1) = places[receiver], places[sender]
        axes.plot([x0, x1], [y0, y1], color="0.4", linewidth=0.6, alpha=0.1 + 0.7 * probability, zorder=0)
    size = max(8.0, 900 / len(processor))
    for number, group in enumerate(community):
        axes.scatter(*places[f"p{number}"], s=size, color=colours[group % 10], edgecolors="white", linewidths=0.5)
    for number in range(len(readout)):
        axes.scatter(*places[f"r{number}"], s=size, marker="s", color="0.15", edgecolors="white", linewidths=0.5)
    axes.set_axis_off()
    axes.set_title(f"{LINKS_A_MODULE} strongest links of each (squares: read-out)", loc="left")


def _strongest(row: np.ndarray, own: int | None) -> list[tuple[str, float]]:
    """Return the senders with the highest link probabilities to a module, without the module itself."""
    senders = [number for number in np.argsort(-row).tolist() if number != own][:LINKS_A_MODULE]
    return [(f"p{number}", float(row[number])) for number in senders]


def _draw_degrees(axes: Any, processor: np.ndarray, target: np.ndarray | None) -> None:
    """Draw the degrees in decreasing order, whose shape shows the kind of graph."""
    import seaborn as sns

    colours = sns.color_palette("colorblind", 2)
    axes.plot(_falling(processor), marker="o", markersize=3, linewidth=0.8, color=colours[0], label="circuit")
    if target is not None:
        axes.plot(_falling(target), linestyle="--", linewidth=1.2, color=colours[1], label="prior")
        axes.legend(frameon=False)
    axes.set_ylim(0, 1.05 * axes.get_ylim()[1])
    axes.set_xlabel("modules, most linked first")
    axes.set_ylabel("expected degree")
    axes.set_title("degrees", loc="left")
    sns.despine(ax=axes)


def _falling(links: np.ndarray) -> np.ndarray:
    degrees: np.ndarray = np.sort(links.sum(1) - np.diag(links))[::-1]
    return degrees


def _draw_matrix(figure: Figure, axes: Any, processor: np.ndarray, community: np.ndarray) -> None:
    order = np.lexsort((-processor.sum(1), community))
    image = axes.imshow(processor[np.ix_(order, order)], cmap="cividis", vmin=0, vmax=1, interpolation="nearest")
    axes.set_xlabel("sender, by community")
    axes.set_ylabel("receiver")
    axes.set_title("link probability", loc="left")
    figure.colorbar(image, ax=axes, shrink=0.85)
