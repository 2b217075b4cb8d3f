"""Seeds until a decision: which runs are started next, and when it ends; with runs that take no time."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from nacbench.cli.shared.outlooks import as_json, tell_outlook
from nacbench.errors import UserError
from nacbench.machine import slurm
from nacbench.recording.decisions import read_decisions
from nacbench.recording.index import Runs
from nacbench.recording.record import Cause
from nacbench.reporting.answered import answered
from nacbench.reporting.paper.claims import Competitive
from nacbench.reporting.paper.read_claims import read_claims
from nacbench.reporting.tables.decisions import decisions_table
from nacbench.sweep import deciding
from nacbench.sweep.deciding import Decider, Limits, Situation
from nacbench.sweep.plan import Place, Plan, PlannedRun
from nacbench.sweep.questions import claim_questions, comparisons, entrants_of
from nacbench.sweep.state import Standing, State
from nacbench.sweep.submitting import Submitted

from .made_world import MODELS, PLAN, World, plan, scores_of, started


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


def test_what_lies_beyond_the_last_seed_is_no_cost_of_the_runs_that_are_told(
    decider: Callable[..., Decider], capsys: pytest.CaptureFixture[str]
) -> None:
    world = World(scores_of(nac=0.9, vit=0.899, transformer=0.8))
    situation = decider(world, pairs=[("nac", "vit")], most=5, gives_up=False).run()
    (one,) = situation.outlooks
    assert (one.stop, one.missing, one.seconds) == ("most", (), 0.0)
    tell_outlook("mine", situation, Limits(most=5))
    told = next(line for line in capsys.readouterr().out.splitlines() if "nac - vit" in line)
    assert told.split()[-2:] == ["0", "0.00"]
    assert as_json(one)["core_hours_needed"] == one.beyond / 3600 > 0


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
    assert [one.name for one in questions] == ["mine"] and questions[0].task == "digits"
    assert len(left) == len(read_claims().claims) and "claim speed-up is left out: this sweep does not have" in left[3]
    for score, verdict in ((0.9, "agrees"), (0.87, "agrees"), (0.8, "disagrees")):
        world = World(scores_of(nac=score, vit=0.9))
        own = decider(world)
        own.questions = questions
        own.__post_init__()
        assert verdicts(own.run())["mine"][0] == verdict


# -- several comparisons ---------------------------------------------------------------------------------------------


def test_what_was_asked_before_in_the_store_counts_too(decider: Callable[..., Decider]) -> None:
    world = World(scores_of(nac=0.9, vit=0.8, transformer=0.8))
    (alone,) = decider(world, pairs=[("nac", "vit")], most=3).run().outlooks
    (besides,) = decider(world, pairs=[("nac", "transformer")], most=3).run().outlooks
    assert (alone.answer.level, besides.answer.level) == (0.05, 0.025)
    (again,) = decider(world, pairs=[("vit", "nac")], most=3).look().outlooks  # the same question, asked again
    assert again.answer.level == 0.025
