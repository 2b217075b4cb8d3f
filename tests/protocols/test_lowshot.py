"""Low-shot adaptation: episodes, fine-tuned parameters, budget, and scores on separable and on random data."""

import dataclasses

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from nacbench.contracts.spec import TaskSpec, Tokens
from nacbench.data.live import Inputs, Split
from nacbench.errors import RunSkippedError, UserError
from nacbench.nn.network import Network, build_network
from nacbench.protocols.adaptation import adapt, adaptable_parameters
from nacbench.protocols.episodes import EpisodePool, by_class, digest
from nacbench.protocols.lowshot import LowShot, LowShotTask
from nacbench.protocols.prototypes import Prototypes, features
from nacbench.protocols.recipe import AdaptRecipe
from nacbench.registry import MODELS, TASKS

RECIPE = AdaptRecipe(batch_size=16, steps=20, rates=(1e-2, 1e-1), episodes=4, search_episodes=2)
SPEC = TaskSpec(modality="symbols", classes=9, max_tokens=1, token_dim=6)


def clouds(per_class: int, classes: int = 6, spread: float = 0.1, seed: int = 0) -> Split:
    """Return a split of points around one corner per class."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(classes), per_class).astype(np.int16)
    points = np.eye(classes)[labels] + spread * rng.standard_normal((len(labels), classes))
    return Split({"points": points.astype(np.float32)}, labels)


def pool(
    purpose: str = "scored", support: Split | None = None, query: Split | None = None, **changes: int
) -> EpisodePool:
    """Return a sampler of three-way episodes with four queries per class."""
    support = support or clouds(12)
    options = {"ways": 3, "queries": 4, "seed": 0, **changes}
    return EpisodePool(purpose, support, query or support, options["ways"], options["queries"], options["seed"])


def test_an_episode_is_a_function_of_seed_and_index() -> None:
    first = digest([pool().episode(2, 5)])
    np.random.seed(1)  # noqa: NPY002 (nothing may depend on the global generator)
    assert digest([pool().episode(2, 5)]) == first
    others = [pool().episode(2, 6), pool(seed=1).episode(2, 5), pool("search").episode(2, 5), pool().episode(3, 5)]
    assert len({first, *(digest([other]) for other in others)}) == 5


def test_support_and_query_are_disjoint_and_balanced_by_class() -> None:
    split = clouds(12)
    for index in range(20):
        episode = pool(support=split).episode(8, index)
        assert (episode.support.shape, episode.query.shape) == ((3, 8), (3, 4))
        assert len(set(episode.classes)) == 3
        for label, support, query in zip(episode.classes, episode.support, episode.query, strict=True):
            assert set(split.labels[support]) == set(split.labels[query]) == {label}
            assert len({*support, *query}) == 12


def test_support_and_query_come_from_their_own_splits() -> None:
    support, query = clouds(5), clouds(40)
    episode = pool(support=support, query=query, queries=30).episode(5, 0)
    assert episode.support.max() < 30
    assert episode.query.max() >= 30


def test_positions_count_within_a_part_of_a_split() -> None:
    part = clouds(4).part(np.array([20, 1, 2, 21]))
    assert {label: positions.tolist() for label, positions in by_class(part).items()} == {0: [1, 2], 5: [0, 3]}


@pytest.mark.parametrize(
    ("shots", "ways", "message"),
    [(9, 3, r"has 12 support examples and 3 left for queries, but 9 and 4"), (1, 7, r"only 6 classes")],
)
def test_too_few_classes_or_examples_are_an_error(shots: int, ways: int, message: str) -> None:
    with pytest.raises(UserError, match=message):
        pool(ways=ways).episode(shots, 0)


class Body(nn.Module):
    """A core with a body and a head, and an adaptable group of its own."""

    adaptable = {"circuit": ("first",)}

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.first = nn.Linear(6, 6)
        self.second = nn.Linear(6, 6)
        self.logits = nn.Linear(6, classes)
        nn.init.zeros_(self.logits.weight)
        nn.init.zeros_(self.logits.bias)

    def forward(self, tokens: Tensor, mask: Tensor | None = None) -> Tensor:
        x = tokens[:, 0]
        logits: Tensor = self.logits(x + self.second(torch.relu(self.first(x))))
        return logits


class Stem(nn.Module):
    """A tokenizer whose tokens are the points."""

    def forward(self, points: Tensor) -> Tokens:
        return Tokens(points[:, None])


def network(classes: int = 3) -> Network:
    """Return a small network with an untrained body and a last layer of zeros."""
    torch.manual_seed(0)
    return Network(Stem(), Body(classes), head=("core.logits.weight", "core.logits.bias")).eval()


def moved(before: nn.Module, after: nn.Module) -> set[str]:
    """Return the names of parameters that differ."""
    pairs = zip(before.named_parameters(), after.parameters(), strict=True)
    return {name for (name, one), other in pairs if not torch.equal(one, other)}


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        ("all", {"first", "second", "logits"}),
        ("head", {"logits"}),
        ("circuit", {"first", "logits"}),
    ],
)
def test_only_the_chosen_parameters_change_and_only_in_the_copy(what: str, expected: set[str]) -> None:
    net, original = network(), network()
    split = clouds(4, classes=3)
    points = torch.from_numpy(np.pad(split.inputs["points"], ((0, 0), (0, 3))))
    labels = torch.from_numpy(split.labels.astype(np.int64))
    adapted = adapt(net, what, {"points": points}, labels, RECIPE, 0.01, seed=0)
    assert {name.split(".")[1] for name in moved(net, adapted)} == expected
    assert moved(net, original) == set()
    assert all(parameter.requires_grad for parameter in net.parameters())


def test_adaptation_depends_on_its_seed_and_keeps_the_generator_state() -> None:
    points, labels = torch.randn(40, 6), torch.arange(40) % 3
    nets = [network() for _ in range(3)]
    before = torch.get_rng_state()
    one, again, other = (
        adapt(net, "all", {"points": points}, labels, RECIPE, 0.01, seed)
        for net, seed in zip(nets, (0, 0, 1), strict=True)
    )
    assert torch.equal(torch.get_rng_state(), before)
    assert moved(one, again) == set()
    assert moved(one, other)


def test_a_network_without_the_adaptable_group_is_skipped() -> None:
    task, model = (
        TASKS.training("digits").configured("task", "smoke", {}),
        MODELS.get("vit").configured("model", "tiny", {}),
    )
    with pytest.raises(RunSkippedError, match="has no circuit to adapt"):
        adaptable_parameters(build_network(task, task.spec(), model, 0), "circuit")


def test_the_circuit_of_nac_is_codes_signatures_and_readout_and_no_shared_weight() -> None:
    task, model = (
        TASKS.training("digits").configured("task", "smoke", {}),
        MODELS.get("nac").configured("model", "tiny", {}),
    )
    names = adaptable_parameters(build_network(task, task.spec(), model, 0), "circuit")
    assert {name for name in names if name.startswith("core.circuit.")} == {
        "core.circuit.read_in.codes",
        "core.circuit.processor.codes",
        "core.circuit.processor.signatures",
        "core.circuit.readout.codes",
        "core.circuit.readout.signatures",
    }
    assert {name.split(".")[1] for name in names} == {"circuit", "readout"}


@dataclasses.dataclass(frozen=True, kw_only=True)
class MadeTask(LowShotTask):
    """A task that only has options."""


class AsTheyAre:
    """A preparation that changes nothing."""

    def train(self, inputs: Inputs, labels: Tensor) -> tuple[Inputs, Tensor]:
        return inputs, labels

    def plain(self, inputs: Inputs, first: int) -> Inputs:
        return inputs


def live(spread: float, **options: object) -> LowShot:
    """Return a low-shot evaluation over six clouds of points; the wider they are, the harder."""
    settings = {"shots": (1, 4), "ways": 3, "queries": 4, **options}
    task = MadeTask.configured("task", "paper", settings)
    assert isinstance(task, MadeTask)
    split = clouds(12, spread=spread)
    scored, search = (pool(purpose, support=split) for purpose in ("scored", "search"))
    return LowShot(task, RECIPE, SPEC, AsTheyAre(), scored, search)


def test_adaptation_inside_autocast_uses_updated_weights() -> None:
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        assert live(spread=0.05).evaluate(network(), "shots-4", 8).metrics["accuracy"] == 1.0


def test_separable_clouds_are_classified_and_noise_is_not() -> None:
    with torch.no_grad():
        easy = live(spread=0.05).evaluate(network(), "shots-4", 8)
        hard = live(spread=50.0).evaluate(network(), "shots-4", 8)
    assert easy.metrics["accuracy"] == 1.0
    assert easy.metrics["half_width_95"] == 0.0
    assert hard.metrics["accuracy"] < 0.7
    assert hard.metrics["half_width_95"] > 0


def test_the_score_can_be_computed_again_from_the_predictions() -> None:
    with torch.no_grad():
        scored = live(spread=1.0).evaluate(network(), "shots-1", 8)
    hits = scored.predictions["prediction"] == scored.predictions["label"]
    by_episode = [hits[scored.predictions["episode"] == number].mean() for number in range(4)]
    assert scored.metrics["accuracy"] == pytest.approx(np.mean(by_episode))
    half_width = 3.182446 * np.std(by_episode, ddof=1) / 2  # t with 3 degrees of freedom, four episodes
    assert scored.metrics["half_width_95"] == pytest.approx(half_width, rel=1e-5)
    assert len(hits) == live(1.0).split_sizes["shots-1"] == 4 * 3 * 4


def test_the_record_has_the_chosen_learning_rate_and_the_episodes() -> None:
    with torch.no_grad():
        details = live(spread=0.3).evaluate(network(), "shots-4", 8).details
    tried = {float(rate): accuracy for rate, accuracy in details["rates_tried"].items()}
    assert set(tried) == {0.001, 0.01, 0.1}  # the best of the first two lies at their edge, as it must: so one more
    assert tried[details["rate"]] == max(tried.values())
    assert details["rate_at_edge"] is False
    assert details["episodes"] == digest(pool().episode(4, index) for index in range(4))
    assert details["search_episodes"] == digest(pool("search").episode(4, index) for index in range(2))


def test_more_rates_are_tried_only_as_many_as_the_recipe_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LowShot, "_accuracy", lambda self, net, episode, rate: rate)  # the larger, the better
    with torch.no_grad():
        details = live(spread=0.3).evaluate(network(), "shots-4", 8).details
    assert list(details["rates_tried"]) == ["0.01", "0.1", "1", "10", "100"]
    assert (details["rate"], details["rate_at_edge"]) == (100.0, True)


def slow_prototypes(net: Network, support: Tensor, labels: Tensor, query: Tensor) -> list[list[float]]:
    """Minus the squared distance to every class mean of the body's features, by loops in float64."""
    core = net.core
    assert isinstance(core, Body)

    def of(x: Tensor) -> list[float]:
        x = x.double()
        return (x + core.second.double()(torch.relu(core.first.double()(x)))).tolist()

    rows = []
    for point in query:
        row = []
        for k in range(int(labels.max()) + 1):
            mine = [of(one) for one, label in zip(support, labels, strict=True) if label == k]
            mean = [sum(column) / len(mine) for column in zip(*mine, strict=True)]
            row.append(-sum((a - b) ** 2 for a, b in zip(of(point), mean, strict=True)))
        rows.append(row)
    return rows


def test_prototypes_are_class_means_and_logits_squared_distances() -> None:
    support, labels, query = 3 + torch.randn(11, 6), torch.tensor([0, 1, 2] * 3 + [2, 0]), 3 + torch.randn(5, 6)
    with torch.no_grad():
        logits = Prototypes(network(), {"points": support}, labels, batch_size=4)(points=query)
        slow = slow_prototypes(network(), support, labels, query)
    torch.testing.assert_close(logits.double(), torch.tensor(slow, dtype=torch.float64), rtol=1e-5, atol=1e-5)


def test_prototypes_train_nothing_and_search_nothing() -> None:
    net, original = network(), network()
    with torch.no_grad():
        scored = live(spread=0.05, adapt="prototypes").evaluate(net, "shots-4", 8)
    assert scored.metrics["accuracy"] == 1.0
    assert moved(net, original) == set()
    assert set(scored.details) == {"adapt", "episodes"}


def digits_network(name: str) -> Network:
    task = TASKS.training("digits").configured("task", "smoke", {})
    return build_network(task, task.spec(), MODELS.get(name).configured("model", "tiny", {}), 0).eval()


def reads_images(name: str) -> bool:
    return MODELS.get(name).reads != "points" and name != "floor-nearest-mean"  # which has no features


@pytest.mark.parametrize("name", sorted(filter(reads_images, MODELS.entries())))
def test_every_model_has_features(name: str) -> None:
    with torch.no_grad():
        assert features(digits_network(name), {"image": torch.randn(3, 1, 8, 8)}).ndim == 2


def test_the_features_of_the_nearest_mean_are_the_pixels() -> None:
    images = torch.randn(3, 1, 8, 8)
    with torch.no_grad():
        assert torch.equal(features(digits_network("floor-nearest-mean"), {"image": images}), images.flatten(1))


def test_a_model_is_unsuited_if_it_has_nothing_to_adapt() -> None:
    floor, spec = MODELS.get("floor-nearest-mean").configured("model", "tiny", {}), TASKS.training("digits")().spec()
    reasons = [
        MadeTask.configured("task", "paper", {"adapt": how}).unsuited(floor, spec)
        for how in ("prototypes", "head", "circuit")
    ]
    assert reasons == [None, *["its last layer has no weights to fine-tune"] * 2]


def test_the_headline_is_the_mean_over_the_numbers_of_shots() -> None:
    task = MadeTask.configured("task", "paper", {"shots": [1, 4]})
    metrics = {"shots-1": {"accuracy": 0.2}, "shots-4": {"accuracy": 0.6}}
    assert dict(task.headline(metrics)) == {"accuracy": 0.4, "accuracy/1-shot": 0.2, "accuracy/4-shot": 0.6}


@pytest.mark.parametrize("options", [{"shots": []}, {"shots": [1, 1]}, {"ways": 1}, {"adapt": "body"}])
def test_invalid_options_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(UserError, match=r"task\.(shots|ways|adapt)"):
        MadeTask.configured("task", "paper", options)
