"""Looking at a finished run's circuit: what is drawn is what the network computes with."""

from pathlib import Path

import networkx as nx
import numpy as np
import pytest
from typer.testing import CliRunner

from nacbench.circuits import circuit_of, configurations, learned_links, links_for
from nacbench.cli import app
from nacbench.config import resolve
from nacbench.errors import UserError
from nacbench.nac.executor import NeuralAttentiveCircuit
from nacbench.report.circuit_plots import circuit_graph, communities, draw_circuit, draw_map
from nacbench.results.store import locate
from nacbench.runner import run
from nacbench.trained import load_run
from nacbench.training.execution import Execution


def finished_run(store: Path, task: str, model: str = "nac", **options: object) -> Path:
    """The folder of a short run."""
    config = resolve(
        {"task": {"name": task}, "model": {"name": model, **options}, "scale": "smoke", "precision": "fp32"}
    )
    done = run(config, store=store, data_root=store / "data", execution=lambda: Execution(show_progress=False))
    return done.folder


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def digits(store: Path) -> Path:
    return finished_run(store, "digits", prior="scale-free")


@pytest.fixture(scope="module")
def sentences(store: Path) -> Path:
    return finished_run(store, "nlvr-synthetic")


def test_the_links_are_those_that_the_network_attends_by(digits: Path) -> None:
    loaded = load_run(digits)
    links = learned_links(loaded)
    core = circuit_of(loaded)
    assert isinstance(core, NeuralAttentiveCircuit)
    signatures = core.circuit().processor_signatures.detach().double().numpy()
    unit = signatures / np.linalg.norm(signatures, axis=1, keepdims=True)
    assert links.processor == pytest.approx(np.exp(unit @ unit.T - 1), abs=1e-5)
    assert links.degrees == pytest.approx(links.processor.sum(1) - 1, abs=1e-5)
    assert links.readout.shape == (len(core.circuit().readout_codes), len(signatures))
    assert links.prior == "scale-free"
    assert links.target is not None
    assert links.target.shape == links.processor.shape


def test_another_sentence_makes_another_circuit_and_the_same_one_the_same(sentences: Path, store: Path) -> None:
    loaded = load_run(sentences)
    one, same, other = (
        links_for(loaded, text, store / "data").processor
        for text in ("There are two yellow squares.", "there are TWO yellow squares .", "There is a blue circle.")
    )
    assert np.array_equal(one, same)
    assert abs(one - other).max() > 1e-6


def test_many_sentences_are_a_map(sentences: Path, store: Path) -> None:
    found = configurations(load_run(sentences), store / "data", 40)
    assert found.points.shape == (40, 2)
    assert len(set(found.sentences)) == len(found.groups) == 40
    assert set(found.groups) <= {"existence", "counts", "colours", "places"}
    (axes,) = draw_map(found.points, found.groups, "forty").axes
    assert sum(len(np.asarray(points.get_offsets())) for points in axes.collections) == 40


def test_communities_are_found_where_there_are_some() -> None:
    links = np.full((12, 12), 0.2)
    for first in (0, 4, 8):
        links[first : first + 4, first : first + 4] = 0.9
    found = communities(links)
    assert [len(set(found[first : first + 4])) for first in (0, 4, 8)] == [1, 1, 1]
    assert len(set(found)) == 3
    assert set(communities(np.full((5, 5), 0.3))) == {0}


def test_the_graph_has_every_link_once_from_sender_to_receiver() -> None:
    processor = np.array([[1.0, 0.2], [0.7, 1.0]])
    graph = circuit_graph(processor, np.array([[0.4, 0.5]]))
    assert {(a, b): graph.edges[a, b]["probability"] for a, b in graph.edges} == {
        ("p1", "p0"): 0.2,
        ("p0", "p1"): 0.7,
        ("p0", "r0"): 0.4,
        ("p1", "r0"): 0.5,
    }


def test_degrees_stand_beside_the_prior_s() -> None:
    links = np.full((6, 6), 0.5)
    figure = draw_circuit(links, links[:2], np.full((6, 6), 0.1), "made")
    degrees = figure.axes[1]
    assert [line.get_label() for line in degrees.lines] == ["circuit", "prior"]
    assert degrees.lines[0].get_ydata() == pytest.approx([2.5] * 6)
    assert degrees.lines[1].get_ydata() == pytest.approx([0.5] * 6)


def test_the_verb_draws_and_writes_a_graph_for_other_tools(digits: Path, store: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["circuit", digits.name[:6], "--out", str(store), "--to", str(tmp_path / "new")])
    assert done.exit_code == 0, (done.output, done.exception)
    assert "modules, prior scale-free: expected degree" in done.stdout
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == [
        "circuit.graphml",
        "circuit.pdf",
        "circuit.png",
    ]
    graph = nx.read_graphml(tmp_path / "new/circuit.graphml")
    assert graph.nodes["p0"]["kind"] == "processor"


def test_what_has_no_such_circuit_is_refused(digits: Path, sentences: Path, store: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="makes a circuit from each sentence; name one with --condition"):
        learned_links(load_run(sentences))
    with pytest.raises(UserError, match="one circuit, which no sentence changes"):
        links_for(load_run(digits), "There is a box.", store / "data")
    with pytest.raises(UserError, match="none of zebra is known to the run's task"):
        links_for(load_run(sentences), "zebra", store / "data")
    with pytest.raises(UserError, match="has no circuit; name a run of nac"):
        learned_links(load_run(finished_run(store, "digits", "vit")))
    with pytest.raises(UserError, match="no finished run"):
        load_run(tmp_path)
    with pytest.raises(UserError, match=r"no id in .* starts with it"):
        locate("abcdef", store)
