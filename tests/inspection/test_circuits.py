"""Looking at a finished run's circuit: what is drawn is what the network computes with."""

import json
import math
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import pytest
from typer.testing import CliRunner

from nacbench.cli import app
from nacbench.data.sentences.words import encode
from nacbench.errors import UserError
from nacbench.inspection.attention import one_of_each_class, read
from nacbench.inspection.attention_plots import draw_flow, draw_reading
from nacbench.inspection.circuit_plots import circuit_graph, communities, draw_circuit, draw_map
from nacbench.inspection.configurations import configurations, named, neighbours_agree
from nacbench.inspection.links import circuit_of, learned_links, links_for, prior_fit, sentence_task, unknown_words
from nacbench.inspection.sentences import check, made_pairs, nearness, read_pairs, word_counts
from nacbench.inspection.trained import before_training, load_run
from nacbench.nac.executor import NeuralAttentiveCircuit
from nacbench.recording.locate import locate
from nacbench.running.resolve import resolve
from nacbench.running.runner import run
from nacbench.training.checkpoint import load_tensors, save_tensors
from nacbench.training.execution import Execution

from ..conftest import REPOSITORY


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


def test_weights_that_the_run_did_not_write_are_refused(digits: Path, tmp_path: Path) -> None:
    """Even if they fit, and name the run: a figure would show another network than the one that was scored."""
    copy = tmp_path / digits.name
    shutil.copytree(digits, copy)
    weights = copy / "checkpoint" / "model.safetensors"
    tensors, meta = load_tensors(weights)
    save_tensors(weights, {name: -tensor for name, tensor in tensors.items()}, meta)
    with pytest.raises(UserError, match=r"model\.safetensors is damaged or changed: .*; copy it again, or delete "):
        load_run(copy)


def test_links_are_the_network_s_link_probabilities(digits: Path) -> None:
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


def test_circuit_follows_the_sentence(sentences: Path, store: Path) -> None:
    loaded = load_run(sentences)
    one, same, other = (
        links_for(loaded, text, store / "data").processor
        for text in ("There are two yellow squares.", "there are TWO yellow squares .", "There is a blue circle.")
    )
    assert np.array_equal(one, same)
    assert abs(one - other).max() > 1e-6


def test_circuits_of_many_sentences_form_a_map(sentences: Path, store: Path) -> None:
    found = configurations(load_run(sentences), store / "data", 30)
    assert found.points.shape == (30, 2)
    assert len(set(found.sentences)) == 30
    assert list(found.attributes) == list(found.agreement) == ["statement", "colour", "shape", "box"]
    assert set(found.attributes["statement"]) <= {"existence", "counts", "colours", "places"}
    for axes in draw_map(found, "thirty").axes:
        assert sum(len(np.asarray(points.get_offsets())) for points in axes.collections) == 30
    plain, _ = draw_map(replace(found, attributes={}, agreement={}), "no attributes").axes
    assert len(np.asarray(plain.collections[0].get_offsets())) == 30


def test_the_nearest_is_compared_with_a_slow_search() -> None:
    rng = np.random.default_rng(0)
    vectors, labels = rng.standard_normal((20, 3)), [str(n % 3) for n in range(20)]
    slow = []
    for here, label in enumerate(labels):
        apart = [math.dist(vectors[here], vectors[there]) if there != here else math.inf for there in range(20)]
        slow.append(labels[int(np.argmin(apart))] == label)
    assert neighbours_agree(vectors, labels).share == pytest.approx(np.mean(slow))
    ties = neighbours_agree(np.asarray([[0.0], [1.0], [-1.0], [9.0]]), ["a", "a", "b", "b"])
    assert ties.share == pytest.approx((0.5 + 1 + 0 + 0) / 4)  # of the first both others are equally near


def test_what_a_sentence_names() -> None:
    said = ["two blue circles can be seen", "a blue circle is above a black square", "there is a triangle ."]
    assert named(said, ("blue", "black")) == ["blue", "several", "none"]
    assert named(said, ("circle", "square", "triangle")) == ["circle", "several", "triangle"]


def test_words_are_counted_without_padding() -> None:
    assert word_counts(np.asarray([[2, 3, 2, 0], [1, 0, 0, 0]]), 3).tolist() == [[0, 0, 2, 1, 0], [0, 1, 0, 0, 0]]


def test_communities_of_a_planted_partition() -> None:
    links = np.full((12, 12), 0.2)
    for first in (0, 4, 8):
        links[first : first + 4, first : first + 4] = 0.9
    found = communities(links)
    assert [len(set(found[first : first + 4])) for first in (0, 4, 8)] == [1, 1, 1]
    assert len(set(found)) == 3
    assert set(communities(np.full((5, 5), 0.3))) == {0}


def test_graph_has_every_link_once_from_sender_to_receiver() -> None:
    processor = np.array([[1.0, 0.2], [0.7, 1.0]])
    graph = circuit_graph(processor, np.array([[0.4, 0.5]]))
    assert {(a, b): graph.edges[a, b]["probability"] for a, b in graph.edges} == {
        ("p1", "p0"): 0.2,
        ("p0", "p1"): 0.7,
        ("p0", "r0"): 0.4,
        ("p1", "r0"): 0.5,
    }


def test_draw_circuit_shows_the_prior_s_degrees() -> None:
    links = np.full((6, 6), 0.5)
    figure = draw_circuit(links, links[:2], np.full((6, 6), 0.1), "made")
    _, degrees, _, _ = figure.axes
    assert [line.get_label() for line in degrees.lines] == ["circuit", "prior"]
    assert degrees.lines[0].get_ydata() == pytest.approx([2.5] * 6)
    assert degrees.lines[1].get_ydata() == pytest.approx([0.5] * 6)


def test_a_circuit_s_figure_has_every_module_s_number_and_keeps_the_colours_for_links_to_others() -> None:
    links = np.full((6, 6), 0.2)
    links[1, 4] = 0.3
    np.fill_diagonal(links, 1.0)
    graph, degrees, matrix, _ = draw_circuit(links, links[:2], None, "made").axes
    assert sorted(text.get_text() for text in graph.texts) == ["0", "1", "2", "3", "4", "5", "r0", "r1"]
    assert sorted(label.get_text() for label in degrees.get_xticklabels()) == ["0", "1", "2", "3", "4", "5"]
    (image,) = matrix.images
    assert image.get_clim() == (0, 0.3)
    shown: np.ma.MaskedArray[Any, Any] = np.ma.asarray(image.get_array())
    assert np.ma.getmaskarray(shown).diagonal().all()
    order = [int(label.get_text()) for label in matrix.get_yticklabels()]
    assert shown[order.index(1), order.index(4)] == 0.3


def test_of_a_large_circuit_some_modules_have_numbers_and_the_figure_says_which() -> None:
    graph, degrees, matrix, _ = draw_circuit(np.full((96, 96), 0.4), np.full((1, 96), 0.4), None, "made").axes
    assert len(graph.texts) == 32 + 1
    assert "numbers: the 32 most linked" in graph.get_title("left")
    assert degrees.get_xlabel() == "module (one of 6 has its number)"
    assert len(matrix.get_yticklabels()) == 32


@pytest.mark.filterwarnings("error")
def test_links_that_are_equal_are_not_drawn_as_the_strongest() -> None:
    """In a complete graph the first three modules looked like hubs, and a single module ended in a warning of NumPy."""
    graph = draw_circuit(np.ones((6, 6)), np.ones((2, 6)), None, "complete").axes[0]
    assert len(graph.lines) == 0
    assert "all links are equal, none is drawn" in graph.get_title(loc="left")
    few = draw_circuit(np.ones((3, 3)), np.ones((1, 3)), None, "all of them").axes[0]
    assert len(few.lines) == 3 * 2 + 3
    one = draw_circuit(np.ones((1, 1)), np.full((2, 1), 0.3), None, "one module").axes[0]
    assert len(one.lines) == 2


def test_circuit_command_writes_figure_and_graphml(digits: Path, store: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["circuit", digits.name[:6], "--out", str(store), "--to", str(tmp_path / "new")])
    assert done.exit_code == 0, (done.output, done.exception)
    assert "modules, prior scale-free: expected degree" in done.stdout
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == [
        "circuit.graphml",
        "circuit.pdf",
        "circuit.png",
        "flow.pdf",
        "flow.png",
        "reading.pdf",
        "reading.png",
    ]
    graph = nx.read_graphml(tmp_path / "new/circuit.graphml")
    assert graph.nodes["p0"]["kind"] == "processor"


def test_runs_without_a_suitable_circuit_are_refused(
    digits: Path, sentences: Path, store: Path, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match="makes a circuit from each sentence; name one with --condition"):
        learned_links(load_run(sentences))
    with pytest.raises(UserError, match="one circuit, which no sentence changes"):
        links_for(load_run(digits), "There is a box.", store / "data")
    with pytest.raises(UserError, match="none of zebra is known to the run's task"):
        links_for(load_run(sentences), "zebra", store / "data")
    with pytest.raises(UserError, match=r"^'  ': there is no word in it$"):
        links_for(load_run(sentences), "  ", store / "data")
    with pytest.raises(UserError, match="has no circuit; name a run of nac"):
        learned_links(load_run(finished_run(store, "digits", "vit")))
    with pytest.raises(UserError, match="no finished run"):
        load_run(tmp_path)
    with pytest.raises(UserError, match=r"no id in .* starts with it"):
        locate("abcdef", store)


def test_unknown_words_are_reported(sentences: Path, store: Path, tmp_path: Path) -> None:
    words = ["circuit", str(sentences), "--to", str(tmp_path), "--condition"]
    done = CliRunner().invoke(app, [*words, "There is a xyzzy circle, XYZZY plugh."])
    assert done.exit_code == 0, (done.output, done.exception)
    assert done.stderr == "warning: words that are not in the task's vocabulary: xyzzy, plugh\n"
    assert unknown_words(load_run(sentences), "There is a blue circle.", store / "data") == []


def test_prior_fit_after_training_on_a_prior(store: Path) -> None:
    """With a weight at which a short training is enough."""
    fit = prior_fit(
        load_run(finished_run(store, "digits", prior="planted-partition", prior_clusters=4, prior_weight=300.0))
    )
    assert fit.nearest < fit.trained < fit.untrained
    assert 0.5 < fit.way < 1
    assert 0 < fit.degree_shift <= 1
    assert 0 <= fit.p <= 1
    without = prior_fit(load_run(finished_run(store, "digits", depth=1)))
    assert math.isnan(without.trained)
    assert math.isnan(without.untrained)


# -- what it looks at --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("task", ["digits", "parametric-shapes", "listops-short", "nlvr-synthetic"])
def test_attention_of_every_modality_can_be_drawn(store: Path, digits: Path, sentences: Path, task: str) -> None:
    done = {"digits": digits, "nlvr-synthetic": sentences}
    run = load_run(done[task] if task in done else finished_run(store, task))
    found = read(run, store / "data")
    assert len(found.examples) == 3
    assert found.tokens.sum(1) == pytest.approx(1, abs=1e-4)
    assert found.modules.sum(1) == pytest.approx(1, abs=1e-4)
    assert found.links.sum((1, 2)) == pytest.approx(0.5, abs=1e-4)
    figure = draw_reading(found, "title")
    columns = len(figure.axes) // 3
    assert columns == (5 if task == "listops-short" else 6)
    assert figure.axes[0].get_ylabel().endswith(found.examples[0].title.splitlines()[-1])
    stages = draw_flow(found, "title").axes[0]
    shares = found.modules.sum(0)
    assert stages.get_yticklabels()[0].get_text() == str(shares.argmax())
    assert [label.get_text() for label in stages.get_xticklabels()][-1] == "read-out"
    if task == "listops-short":
        assert found.examples[0].content[0] in ("[MIN ", "[MAX ", "[MED ", "[SM ", *(f"{n} " for n in range(10)))


def test_given_sentence_replaces_the_examples_sentences(store: Path, sentences: Path) -> None:
    run = load_run(sentences)
    own, asked = read(run, store / "data"), read(run, store / "data", "there is a blue item")
    assert "predicted" in asked.examples[0].title
    assert "label" not in asked.examples[0].title
    assert not np.array_equal(own.reading, asked.reading)


def test_examples_cover_different_classes_first() -> None:
    labels = np.array([2, 2, 0, 1, 0, 2])
    assert labels[one_of_each_class(labels, 5)].tolist() == [0, 1, 2, 0, 2]
    assert one_of_each_class(labels, 3).tolist() == [2, 3, 0]


# -- what sentences do to it -------------------------------------------------------------------------------------------


def test_nearness_is_the_share_of_farther_sentences() -> None:
    rng = np.random.default_rng(0)
    first, second = rng.standard_normal((20, 5)), rng.standard_normal((20, 5))
    slow = [
        float(np.linalg.norm(first[i] - second[j]) > np.linalg.norm(first[i] - second[i]))
        for i in range(20)
        for j in range(20)
        if i != j
    ]
    found = nearness(first, second)
    assert found.share == pytest.approx(np.mean(slow))
    assert found.low < found.share < found.high
    assert nearness(first, first + 1e-6).share == 1
    assert nearness(np.zeros((5, 2)), np.zeros((5, 2))).share == 0.5


def test_made_pairs_are_paraphrases() -> None:
    pairs = made_pairs(60)
    assert pairs == made_pairs(60)
    assert len({plain for plain, _ in pairs}) == 60
    assert all(plain != other for plain, other in pairs)


def test_check_of_a_conditional_run(store: Path, sentences: Path, tmp_path: Path) -> None:
    found = check(load_run(sentences), store / "data", made_pairs(20), examples=64)
    assert (found.examples, found.links.sentences, found.codes.sentences) == (64, 20, 20)
    assert all(0 <= value <= 1 for value in (found.links.share, found.accuracy, found.shuffled))
    done = CliRunner().invoke(app, ["circuit", str(sentences), "--check", "--to", str(tmp_path)])
    assert done.exit_code == 0, (done.output, done.exception)
    assert "chance: 50 %" in done.stdout
    assert (tmp_path / "check.json").exists()


def test_paraphrases_are_nearer_before_training_too_and_by_their_words(store: Path, sentences: Path) -> None:
    """What is said of circuits has to be held against that."""
    run, pairs = load_run(sentences), made_pairs(20)
    found = check(run, store / "data", pairs, examples=64)
    vocabulary = sentence_task(run).arrays(store / "data").arrays["vocabulary"]
    first, second = (encode([pair[side] for pair in pairs], vocabulary, 20) for side in (0, 1))
    slow = [Counter(row[row > 0].tolist()) for row in first], [Counter(row[row > 0].tolist()) for row in second]

    def apart(one: Counter[int], other: Counter[int]) -> float:
        return sum((one[word] - other[word]) ** 2 for word in one | other)

    wins = [
        (apart(one, two) > apart(one, own)) + 0.5 * (apart(one, two) == apart(one, own))
        for place, (one, own) in enumerate(zip(*slow, strict=True))
        for other, two in enumerate(slow[1])
        if other != place
    ]
    assert found.words.share == pytest.approx(np.mean(wins))
    fresh = before_training(run)
    assert check(fresh, store / "data", pairs, examples=64).links == found.untrained_links != found.links


def test_the_command_writes_the_map_and_what_it_shows(store: Path, sentences: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["circuit", str(sentences), "--sentences", "40", "--to", str(tmp_path)])
    assert done.exit_code == 0, (done.output, done.exception)
    written = json.loads((tmp_path / "map.json").read_text())
    assert written["sentences"] == 30 and list(written["agreement"]) == ["statement", "colour", "shape", "box"]
    share = written["agreement"]["colour"]["circuits"]["share"]
    assert f"{100 * share:.1f} % (" in done.stdout and (tmp_path / "map.png").is_file()


def test_shuffled_sentences_differ_from_the_examples_own(
    store: Path, sentences: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import nacbench.data.live as live

    seen = []
    original = live.score

    def score(net: object, split: live.Split, *rest: object) -> object:
        seen.append(np.asarray(split.inputs["sentences"]))
        return original(net, split, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(live, "score", score)
    check(load_run(sentences), store / "data", made_pairs(5), examples=64)
    own, other = seen
    assert sorted(map(tuple, own.tolist())) == sorted(map(tuple, other.tolist()))
    assert (own != other).any(1).mean() > 0.8


def test_read_pairs_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "pairs.txt"
    file.write_text("There is a box.\tA box is there.\n\none\ttwo\n")
    assert read_pairs(file) == [("There is a box.", "A box is there."), ("one", "two")]
    own = read_pairs(REPOSITORY / "examples" / "nlvr-paraphrases.tsv")
    assert len({sentence for pair in own for sentence in pair}) == 60
    file.write_text("There is a box.\n")
    with pytest.raises(UserError, match=r"pairs.txt, line 1: .*not 'There is a box.'"):
        read_pairs(file)
    with pytest.raises(UserError, match="cannot read"):
        read_pairs(tmp_path / "none")


def test_check_refuses_unsuitable_runs(digits: Path, sentences: Path, store: Path) -> None:
    with pytest.raises(UserError, match="has one circuit, which no sentence changes"):
        check(load_run(digits), store / "data", made_pairs(5))
    with pytest.raises(UserError, match="0 pairs of sentences have words of the vocabulary of nlvr-synthetic"):
        check(load_run(sentences), store / "data", [("zzz", "yyy")])
    failed = CliRunner().invoke(app, ["circuit", str(digits), "--check"])
    assert "one circuit, which no sentence changes" in str(failed.exception)  # not that paraphrases are missing


def test_what_is_left_out_of_sentences_is_told(sentences: Path, tmp_path: Path) -> None:
    given = ["circuit", str(sentences), "--to", str(tmp_path)]
    longest = load_run(sentences).task.spec().condition_tokens
    done = CliRunner().invoke(app, [*given, "--condition", f"there is a {'blue ' * (longest - 3)}box item"])
    assert done.exit_code == 0, (done.output, done.exception)
    assert done.stderr == "warning: words beyond the number that the task takes are left out: box item\n"
    pairs = [*made_pairs(3), ("zzz", "yyy")]
    (tmp_path / "pairs.tsv").write_text("".join(f"{one}\t{other}\n" for one, other in pairs))
    done = CliRunner().invoke(app, [*given, "--check", "--paraphrases", str(tmp_path / "pairs.tsv")])
    assert done.stderr == "warning: 1 of 4 pairs are left out: no word is in the vocabulary\n"
    assert "3 sentences" in done.stdout


def test_a_map_of_few_sentences_is_refused_by_what_was_asked(sentences: Path, store: Path) -> None:
    with pytest.raises(UserError, match="a map of 5 sentences says nothing; ask for 10 or more"):
        configurations(load_run(sentences), store / "data", 5)
