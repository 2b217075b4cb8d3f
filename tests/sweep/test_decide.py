"""Seeds until a decision: which runs are started next, and when it ends; with runs that take no time."""

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nacbench.cli.shared.outlooks import as_json
from nacbench.errors import UserError
from nacbench.filesystem.files import utc_now
from nacbench.machine import slurm
from nacbench.recording.decisions import read_decisions
from nacbench.recording.index import Runs
from nacbench.recording.record import Cause
from nacbench.recording.row import Run, row_of
from nacbench.reporting.answered import answered
from nacbench.reporting.decided import Case, holm_levels
from nacbench.reporting.paper.claims import Competitive, Side, read_claims
from nacbench.reporting.tables.decisions import decisions_table
from nacbench.sweep import deciding
from nacbench.sweep.answers import Answer, answers
from nacbench.sweep.control import Place, Submitted
from nacbench.sweep.deciding import Decider, Limits, Outlook, Situation
from nacbench.sweep.plan import Plan, PlannedRun, make_plan
from nacbench.sweep.questions import Question, claim_questions, comparisons, entrants_of
from nacbench.sweep.read_sweep import parse_sweep
from nacbench.sweep.state import Standing, State
from nacbench.sweep.submission import Submission

from ..made import made_record

NOISE = np.random.default_rng(0).normal(size=(3, 1000))
MODELS = ("nac", "vit", "transformer")
Scores = Callable[[PlannedRun], float]


def plan(**changes: Any) -> Plan:
    """A plan of twenty seeds of three models on digits."""
    content: dict[str, Any] = {
        "tasks": "digits",
        "models": list(MODELS),
        "scale": "smoke",
        "seeds": "0..19",
        "precision": "fp32",
    }
    content |= {"profile": {"executor": "debug"}}
    return make_plan(parse_sweep({**content, **changes}, Path("mine.yaml")), Path("data"))


PLAN = plan()


def scores_of(**means: float) -> Scores:
    """Scores of models with these means; the noise of seeds has a deviation of 0.01."""
    return lambda run: (
        means[run.config.model.name] + 0.01 * float(NOISE[MODELS.index(run.config.model.name), run.config.seed])
    )


def started(runs: Sequence[PlannedRun]) -> Submitted:
    """What submit returns."""
    about: dict[str, Any] = {"sweep": "mine", "store": Path("runs"), "data_root": Path("data"), "plugins": ()}
    return Submitted(len(runs), len(runs), (Submission.of(runs, **about),))


class World:
    """Runs that are done as soon as they are submitted.

    Args:
        scores: gives the score of a run.
        seconds: that a run of each model costs.
        standings: of runs that end in another way, by model and seed.
    """

    def __init__(
        self,
        scores: Scores,
        seconds: Mapping[str, float] | None = None,
        standings: Mapping[tuple[str, int], Standing] | None = None,
    ) -> None:
        self.scores, self.seconds, self.ends = scores, seconds or {}, standings or {}
        self.rows: dict[str, Run] = {}
        self.submitted: list[tuple[str, int]] = []
        self.broken: list[str] = []
        self.is_silent = False

    def submit(self, plan: Plan, place: Place, say: object, *, only: Sequence[PlannedRun], **more: Any) -> Submitted:
        for run in only:
            name = (run.config.model.name, run.config.seed)
            self.submitted.append(name)
            if name not in self.ends:
                self.rows[run.key] = self.row(run)
        return started(only)

    def row(self, run: PlannedRun) -> Run:
        made = row_of(made_record(), "made", 1, 1)
        config = run.config
        return made._replace(
            folder=f"made-{run.key}",
            run_id=str(run.run_id),
            task=config.task.name,
            model=config.model.name,
            model_size=config.model.size,
            scale=config.scale,
            series=run.series,
            seed=config.seed,
            score=self.scores(run),
            scored=10_000,
            train_seconds=self.seconds.get(config.model.name, 10.0),
            evaluate_seconds=0.0,
            threads=1,
            finished=utc_now(),
        )

    def standings(self, runs: Sequence[PlannedRun]) -> dict[str, Standing]:
        return {run.key: self._standing(run) for run in runs}

    def _standing(self, run: PlannedRun) -> Standing:
        name = (run.config.model.name, run.config.seed)
        if name in self.submitted and name in self.ends:
            return self.ends[name]
        return Standing(state="done" if run.key in self.rows else "planned")


@pytest.fixture
def decider(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Decider]:
    """Makes a decider in a world; of NAC against both others, unless it is told otherwise."""
    (tmp_path / "runs").mkdir()

    def make(
        world: World,
        *,
        pairs: Sequence[tuple[str, str]] = (),
        planned: Plan = PLAN,
        show: Callable[[Situation], None] = lambda situation: None,
        **limits: Any,
    ) -> Decider:
        monkeypatch.setattr(deciding, "read_runs", lambda *stores: Runs(list(world.rows.values())))
        monkeypatch.setattr(deciding, "Observer", lambda store: world)
        monkeypatch.setattr("nacbench.sweep.starting.submit", world.submit)
        monkeypatch.setattr(deciding, "note_failures", lambda *anything: None)
        questions = comparisons(entrants_of(planned), pairs)
        place = Place(tmp_path / "runs", tmp_path / "data")
        return Decider(planned, place, questions, Limits(**limits), lambda line: None, show)

    return make


def verdicts(situation: Situation) -> dict[str, tuple[str, int, str]]:
    return {one.answer.question.name: (one.answer.verdict, one.answer.seeds, one.stop) for one in situation.outlooks}


# -- when it ends ----------------------------------------------------------------------------------------------------


def test_seeds_are_added_only_where_it_is_undecided(decider: Callable[..., Decider]) -> None:
    world = World(scores_of(nac=0.9, vit=0.8, transformer=0.899))
    found = verdicts(decider(world, gives_up=False).run())
    assert found["nac - vit"][0] == "better" and found["nac - vit"][1] <= 6
    assert found["nac - transformer"] == ("undecided", 20, "most")
    assert [seed for model, seed in world.submitted if model == "vit"] == list(range(found["nac - vit"][1]))
    assert len(set(world.submitted)) == len(world.submitted)  # a seed of NAC serves both


def test_a_second_start_finds_all_decided(decider: Callable[..., Decider]) -> None:
    world = World(scores_of(nac=0.9, vit=0.8, transformer=0.82))
    first = verdicts(decider(world).run())
    count = len(world.submitted)
    assert verdicts(decider(world).run()) == first
    assert len(world.submitted) == count


def test_a_raised_limit_goes_on_with_the_same_looks(decider: Callable[..., Decider]) -> None:
    world = World(scores_of(nac=0.9, vit=0.8, transformer=0.889))
    before = decider(world, most=5).run().outlooks
    after = decider(world, most=20).run().outlooks
    assert [one.stop for one in before] == ["", "most"]
    assert after[0].answer == before[0].answer
    assert after[1].answer.verdict == "better" and after[1].answer.seeds > 5
    with pytest.raises(UserError, match="--first 9 is more than --most 5"):
        Limits(first=9, most=5)
    with pytest.raises(UserError, match="--most 2 cannot decide anything; give at least 3 seeds"):
        Limits(first=1, most=2)


def test_a_comparison_that_would_need_too_many_seeds_is_given_up(decider: Callable[..., Decider]) -> None:
    world = World(scores_of(nac=0.9, vit=0.8, transformer=0.8999))
    found = verdicts(decider(world).run())
    assert found["nac - transformer"][2] == "futile"
    assert 8 <= found["nac - transformer"][1] < 20


def test_a_margin_gives_equivalence(decider: Callable[..., Decider], tmp_path: Path) -> None:
    world = World(scores_of(nac=0.9, vit=0.8, transformer=0.9))
    found = verdicts(decider(world, margin=5.0).run())
    assert found["nac - transformer"][0] == "equivalent"
    assert found["nac - vit"][0] in ("better", "undecided")
    assert [known.margin for known in read_decisions(tmp_path / "runs")] == [5.0]
    with pytest.raises(UserError, match="fixed before the first look"):  # at once, so that a dry run refuses it too
        decider(world, margin=1.0)


def test_what_is_decided_is_written_down_before_the_first_run(decider: Callable[..., Decider], tmp_path: Path) -> None:
    class Killed(World):
        def submit(self, *anything: Any, **more: Any) -> Submitted:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        decider(Killed(scores_of())).run()
    (decision,) = read_decisions(tmp_path / "runs")
    assert [one.name for one in decision.comparisons] == ["nac - vit", "nac - transformer"]
    assert (decision.first, decision.most, decision.level, decision.prior) == (3, 20, 0.05, 8.0)


def test_a_report_says_what_was_decided(decider: Callable[..., Decider], tmp_path: Path) -> None:
    world = World(scores_of(nac=0.9, vit=0.8, transformer=0.899))
    outlooks = decider(world, gives_up=False).run().outlooks
    runs = [run._replace(adaptive=1) for run in world.rows.values()]
    table = decisions_table(answered(read_decisions(tmp_path / "runs"), runs), {})
    assert table is not None
    assert [row[1] for row in table.rows] == [one.answer.question.name for one in outlooks]
    metric = outlooks[0].answer.question.metric
    for row, one in zip(table.rows, outlooks, strict=True):
        assert row[2:4] == (one.answer.in_words(metric, 0.0), one.answer.measured(metric))
        assert row[4].endswith(str(one.answer.seeds))
    assert list(table.frame["level"]) == [one.answer.level for one in outlooks] == [0.025, 0.05]


# -- what comes next -------------------------------------------------------------------------------------------------


def test_the_cheapest_decisive_runs_come_first(decider: Callable[..., Decider]) -> None:
    world = World(scores_of(nac=0.9, vit=0.8, transformer=0.8), seconds={"nac": 10, "vit": 1000, "transformer": 10})
    decider(world).run()
    order = [name for name in world.submitted if name[0] != "nac"]
    assert order[:2] == [("vit", 0), ("transformer", 0)]  # what they cost is not known before
    last_cheap = max(place for place, (model, _) in enumerate(order) if model == "transformer")
    assert order.index(("vit", 1)) > last_cheap


def test_no_run_is_started_that_would_exceed_the_budget(decider: Callable[..., Decider]) -> None:
    scores = scores_of(nac=0.9, vit=0.8, transformer=0.8)
    world = World(scores, seconds={"nac": 10, "vit": 1000, "transformer": 10})
    found = verdicts(decider(world, budget=1500.0).run())
    assert found["nac - transformer"][0] == "better"
    assert found["nac - vit"][::2] == ("undecided", "budget")
    assert sum(run.core_seconds for run in world.rows.values()) <= 1500
    again = verdicts(decider(world, budget=15_000.0).run())
    assert again["nac - vit"][0] == "better"


def test_what_was_there_before_it_began_costs_nothing(decider: Callable[..., Decider]) -> None:
    world = World(scores_of(nac=0.9, vit=0.8, transformer=0.8))
    world.rows = {
        run.key: world.row(run)._replace(finished="2026-01-01T00:00:00+00:00")
        for run in PLAN.runs
        if run.config.seed < 3
    }
    situation = decider(world, budget=80.0).run()
    assert 0 < situation.spent <= 80.0
    assert min(seed for _, seed in world.submitted) == 3


def test_a_look_waits_for_all_seeds_below(decider: Callable[..., Decider]) -> None:
    world = World(scores_of(nac=0.9, vit=0.8, transformer=0.8))
    world.rows = {run.key: world.row(run) for run in PLAN.runs if run.config.seed in (0, 1, 2, 3, 5)}
    world.rows = {key: row for key, row in world.rows.items() if (row.model, row.seed) != ("vit", 1)}
    own = {one.answer.question.name: one.answer for one in decider(world).look().outlooks}
    assert (own["nac - vit"].seeds, own["nac - transformer"].seeds) == (1, 4)
    decider(world).run()
    assert world.submitted[0] == ("vit", 1)


def test_a_run_that_ends_during_a_look_is_not_forgotten(decider: Callable[..., Decider]) -> None:
    """Runs of a cluster, which are done at the moment at which their states are asked for."""

    class Cluster(World):
        running: Sequence[PlannedRun] = ()

        def submit(
            self, plan: Plan, place: Place, say: object, *, only: Sequence[PlannedRun], **more: Any
        ) -> Submitted:
            self.running = only
            return started(only)

        def standings(self, runs: Sequence[PlannedRun]) -> dict[str, Standing]:
            self.rows |= {run.key: self.row(run) for run in self.running}
            return super().standings(runs)

    world = Cluster(scores_of(nac=0.9, vit=0.8, transformer=0.8))
    assert {verdict for verdict, *_ in verdicts(decider(world).run()).values()} == {"better"}


def test_on_a_cluster_all_questions_get_their_next_seed_at_once(decider: Callable[..., Decider]) -> None:
    wide = plan(profile={"executor": "local", "processes": 64})
    world = World(scores_of(nac=0.9, vit=0.8, transformer=0.8))
    decider(world, planned=wide).run()
    assert sorted(world.submitted[:3]) == [("nac", 0), ("transformer", 0), ("vit", 0)]
    assert sorted(world.submitted[3:9]) == [(model, seed) for model in sorted(MODELS) for seed in (1, 2)]


@pytest.mark.parametrize(("places", "started"), [(2, {"nac", "vit"}), (3, {"nac", "vit", "transformer"})])
def test_a_run_that_waits_for_a_network_takes_no_place(
    decider: Callable[..., Decider], places: int, started: set[str]
) -> None:
    """A seed of digits-c is two runs, of which the second waits for the first."""
    chains = plan(tasks="digits-c", profile={"executor": "local", "processes": places})
    due = decider(World(scores_of()), planned=chains).look().due
    assert {run.config.model.name for run in due} == started
    assert len(due) == 2 * len(started)


# -- failures --------------------------------------------------------------------------------------------------------

DIVERGED = Standing(state="failed", cause="diverged", detail="the loss is NaN")
KILLED = Standing(state="failed", cause="oom", detail="out of memory")
LOST = Standing(state="lost", detail="ended without record or failure")
CANCELLED = Standing(state="cancelled", detail="in Slurm")


@pytest.mark.parametrize(
    ("standing", "starts", "said"),
    [
        (DIVERGED, 1, r"seed 2 failed \(diverged\): the loss is NaN; see .*digits/vit/"),
        (KILLED, 3, r"seed 2 failed 3 times \(oom\): out of memory"),
        (LOST, 3, "seed 2 was lost 3 times: ended without record or failure"),
        (CANCELLED, 1, "seed 2 was cancelled: in Slurm"),
    ],
)
def test_a_seed_that_fails_is_not_passed_over(
    decider: Callable[..., Decider], standing: Standing, starts: int, said: str
) -> None:
    world = World(scores_of(nac=0.9, vit=0.7, transformer=0.8), standings={("vit", 2): standing})
    situation = decider(world).run()
    found = verdicts(situation)
    assert found["nac - vit"] == ("undecided", 2, "failed")
    assert found["nac - transformer"][0] == "better"
    assert world.submitted.count(("vit", 2)) == starts
    assert re.search(said, situation.outlooks[0].why)
    assert max(seed for model, seed in world.submitted if model == "vit") == 2


def test_a_start_counts_only_if_something_was_started(
    decider: Callable[..., Decider], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Runs wait for networks that other processes train, for as long as these take."""
    waits: list[float] = []

    class Held(World):
        def submit(self, *anything: Any, **more: Any) -> Submitted:
            return Submitted(0, None) if len(waits) < 5 else super().submit(*anything, **more)

    monkeypatch.setattr("nacbench.sweep.deciding.time.sleep", waits.append)
    found = verdicts(decider(Held(scores_of(nac=0.9, vit=0.7, transformer=0.8))).run())
    assert len(waits) == 5 and {verdict for verdict, *_ in found.values()} == {"better"}


@pytest.mark.parametrize(("at_first", "starts"), [("cancelled", 1), ("running", 0)])
def test_what_is_cancelled_while_it_goes_on_stays_cancelled(
    decider: Callable[..., Decider], monkeypatch: pytest.MonkeyPatch, at_first: State, starts: int
) -> None:
    """Of runs that another submitter or sitting has started, too; what was cancelled before is started again, once."""
    looks: list[State] = [at_first]

    class Stopped(World):
        def standings(self, runs: Sequence[PlannedRun]) -> dict[str, Standing]:
            looks.append("cancelled")
            found = super().standings(runs)
            vit = [run.key for run in runs if (run.config.model.name, run.config.seed) == ("vit", 2)]
            return found | {key: Standing(state=looks[-2]) for key in vit if found[key].state != "done"}

    monkeypatch.setattr("nacbench.sweep.deciding.time.sleep", lambda seconds: None)
    world = Stopped(scores_of(nac=0.9, vit=0.7, transformer=0.8))
    situation = decider(world).run()
    assert world.submitted.count(("vit", 2)) == starts
    if not starts:
        assert "seed 2 was cancelled: ; see" in situation.outlooks[0].why
        assert situation.outlooks[0].why.endswith("; the same command starts it again")


def test_a_run_that_cannot_be_read_ends_its_question_alone(decider: Callable[..., Decider]) -> None:
    class Odd(World):
        def standings(self, runs: Sequence[PlannedRun]) -> dict[str, Standing]:
            vit = [run.key for run in runs if run.config.model.name == "vit"]
            broken = Standing(state="unreadable", detail="a file has the name of its folder")
            return super().standings(runs) | dict.fromkeys(vit, broken)

    situation = decider(Odd(scores_of(nac=0.9, vit=0.7, transformer=0.8))).run()
    assert verdicts(situation)["nac - transformer"][0] == "better"
    assert "seed 0 is unreadable: a file has the name of its folder; see " in situation.outlooks[0].why


def test_a_seed_that_the_sweep_excludes_is_named(decider: Callable[..., Decider]) -> None:
    without = plan(exclude=[{"model": "vit", "seed": 1}])
    situation = decider(World(scores_of(nac=0.9, vit=0.7, transformer=0.8)), planned=without).run()
    assert situation.outlooks[0].why == "the sweep has no run of vit with seed 1: exclude leaves it out"


@pytest.mark.parametrize(
    ("cause", "way"), [("diverged", "--failed diverged starts it again"), ("oom", "the same command starts it again")]
)
def test_the_way_out_is_one_that_works(decider: Callable[..., Decider], cause: Cause, way: str) -> None:
    failed = Standing(state="failed", cause=cause, detail="it ended")
    world = World(scores_of(nac=0.9, vit=0.7, transformer=0.8), standings={("vit", 2): failed})
    assert decider(world).run().outlooks[0].why.endswith(f"; {way}")


def test_without_slurm_its_seeds_are_not_waited_for(
    decider: Callable[..., Decider], monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(scores_of(nac=0.9, vit=0.7, transformer=0.8), standings={("vit", 1): Standing(state="unknown")})
    monkeypatch.setattr(slurm, "is_available", lambda: False)
    with pytest.raises(UserError, match="there is no Slurm on this machine"):
        decider(world).run()


# -- what is asked ---------------------------------------------------------------------------------------------------


def names(questions: Sequence[Question]) -> list[str]:
    return [question.name for question in questions]


def test_without_a_name_nac_is_compared_with_every_model() -> None:
    entrants = entrants_of(PLAN)
    assert names(comparisons(entrants, [])) == ["nac - vit", "nac - transformer"]
    pairs = [("vit", "transformer"), ("transformer", "vit"), ("vit", "nac")]
    assert names(comparisons(entrants, pairs)) == ["vit - transformer", "vit - nac"]  # each once
    with pytest.raises(UserError, match=r"unknown model of this sweep 'vot'; did you mean 'vit'"):
        comparisons(entrants, [("nac", "vot")])
    with pytest.raises(UserError, match=r"no task of this sweep has two variants of nac"):
        comparisons(entrants, [("nac", "nac")])
    with pytest.raises(UserError, match=r"no task of this sweep has nac and another model"):
        comparisons([one for one in entrants if one.model != "nac"], [])


def test_variants_of_a_model_are_named_by_what_differs() -> None:
    entrants = entrants_of(plan(models=["nac"], axes={"training.lr": [0.001, 0.002]}))
    labels = ["nac, lr=0.001", "nac, lr=0.002"]
    assert [one.label for one in entrants] == labels
    assert names(comparisons(entrants, [(labels[0], labels[1])])) == [" - ".join(labels)]


def test_models_at_the_same_rate_are_compared_unless_a_variant_is_named() -> None:
    entrants = entrants_of(plan(models=["nac", "vit"], axes={"training.lr": [0.001, 0.002]}))
    found = comparisons(entrants, [])
    assert len(found) == 2
    assert all(one.training == other.training for one, other in (question.entrants for question in found))
    (named,) = comparisons(entrants, [("nac, lr=0.001", "vit, lr=0.002")])
    assert named.name == "nac, lr=0.001 - vit, lr=0.002"
    unequal = [one for one in entrants if (one.model, "0.001" in one.label) != ("vit", True)]
    assert len(comparisons(unequal, [("nac", "vit")])) == 2  # vit has one rate alone


def test_series_of_a_plan_are_those_of_its_records() -> None:
    """Of all seeds alike, and of runs on another run's network, too."""
    planned = plan(tasks=["digits", "digits-c"], models=["nac"], seeds=[0, 1])
    series = {(run.config.task.name, run.series) for run in planned.runs}
    assert len(series) == 2 and all(len(run.series) == 12 for run in planned.runs)


def test_a_claim_is_decided_at_its_bar(decider: Callable[..., Decider]) -> None:
    left: list[str] = []
    told: dict[str, Any] = {
        "name": "mine",
        "says": "wins",
        "task": "cifar10",
        "stand_ins": ["digits"],
        "baseline": "vit",
    }
    mine = Competitive(kind="competitive", within=0.05, **told)
    questions = claim_questions(entrants_of(PLAN), [mine, *read_claims().claims], left.append)
    assert names(questions) == ["mine"] and questions[0].task == "digits"
    assert len(left) == len(read_claims().claims) and "claim speed-up is left out: this sweep does not have" in left[3]
    for score, verdict in ((0.9, "agrees"), (0.87, "agrees"), (0.8, "disagrees")):
        world = World(scores_of(nac=score, vit=0.9))
        own = decider(world)
        own.questions = questions
        own.__post_init__()
        assert verdicts(own.run())["mine"][0] == verdict


def test_claims_of_other_tasks_are_refused() -> None:
    with pytest.raises(UserError, match="the runs of this sweep decide none of the claims"):
        claim_questions(entrants_of(PLAN), read_claims().claims, lambda line: None)


# -- several comparisons ---------------------------------------------------------------------------------------------


def case(*differences: float, margin: float = 0.0) -> Case:
    return Case([Side(dict(enumerate(differences)), 0.0, 0.0)] if differences else [], margin)


def test_holm_s_levels_fall_with_the_number_of_comparisons_and_rise_as_they_are_decided() -> None:
    sure, fair, none = case(1.0, 1.01, 0.99, 1.0, 1.02, 1.0), case(1.0, 1.5, 0.5, 1.1, 0.9), case()
    assert holm_levels([none] * 4) == [0.05 / 4] * 4  # those without any seed count
    assert holm_levels([sure, none, none, none]) == [0.05 / 4] + [0.05 / 3] * 3
    assert holm_levels([sure, fair, sure, sure]) == [0.05 / 4, 0.05, 0.05 / 4, 0.05 / 4]


def test_what_was_asked_before_in_the_store_counts_too(decider: Callable[..., Decider]) -> None:
    world = World(scores_of(nac=0.9, vit=0.8, transformer=0.8))
    (alone,) = decider(world, pairs=[("nac", "vit")], most=3).run().outlooks
    (besides,) = decider(world, pairs=[("nac", "transformer")], most=3).run().outlooks
    assert (alone.answer.level, besides.answer.level) == (0.05, 0.025)
    (again,) = decider(world, pairs=[("vit", "nac")], most=3).look().outlooks  # the same question, asked again
    assert again.answer.level == 0.025


def test_the_probability_of_any_wrong_verdict_of_a_family_is_as_promised() -> None:
    """Four comparisons, looked at after every seed from 3 to 12: two equal pairs, one at its margin, one far apart."""
    rng = np.random.default_rng(3)
    wrong, margin, repetitions = 0, 1.0, 300
    for _ in range(repetitions):
        paths = [rng.normal(size=12) + shift for shift in (1.0, -1.0, 1.0, 6.0)]
        levels = holm_levels([case(*map(float, path), margin=margin) for path in paths])
        found = [verdict_at(path, level, margin) for path, level in zip(paths, levels, strict=True)]
        wrong += any(verdict in ("better", "worse", "equivalent") for verdict in found[:3]) or found[3] == "worse"
    assert wrong / repetitions <= 0.05 + 3 * (0.05 * 0.95 / repetitions) ** 0.5


def verdict_at(path: np.ndarray, level: float, margin: float) -> str:
    from nacbench.reporting.anytime import decide, looks

    return decide(looks(list(path), level=level), margin).verdict


def answer_to(*differences: float) -> Answer:
    """The answer to NAC against ViT with these differences of accuracy."""
    (question,) = comparisons(entrants_of(PLAN), [("nac", "vit")])
    world = World(lambda run: 0.5 + (differences[run.config.seed] if run.config.model.name == "nac" else 0.0))
    records: dict[str, dict[int, Run]] = {}
    for entrant in question.entrants:
        records[entrant.series] = {seed: world.row(entrant.runs[seed]) for seed in range(len(differences))}
    (found,) = answers([question], records)
    return found


def test_seeds_far_off_are_named() -> None:
    assert answer_to(0.05, 0.04, 0.05, -0.4, 0.06).far_off == (3,)
    assert answer_to(0.05, 0.04, 0.05, 0.03, 0.06).far_off == ()
    assert answer_to(0.05, 0.05, 0.05, 0.0501, 0.05).far_off == ()  # by one test example


def test_unequal_treatment_is_told() -> None:
    planned = plan(models=["nac"], axes={"training.lr": [0.001, 0.002]})
    world = World(lambda run: 0.5)
    (question,) = comparisons(entrants_of(planned), [("nac, lr=0.001", "nac, lr=0.002")])
    records = {one.series: {0: world.row(one.runs[0])._replace(settings=one.settings)} for one in question.entrants}
    (answer,) = answers([question], records)
    told = as_json(Outlook(answer))
    assert told["treatment"] == "training.lr (0.001, 0.002)"
    assert "not treated equally" in told["why"]
