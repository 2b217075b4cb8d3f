"""Sweep files: what they expand to, and that slips of the pen are found."""

import math
import re
from pathlib import Path
from typing import Any

import pytest

from nacbench.errors import UserError
from nacbench.running.resolve import resolve
from nacbench.sweep.block import seeds_in
from nacbench.sweep.config import matches
from nacbench.sweep.plan import counts_of, make_plan
from nacbench.sweep.read_sweep import parse_sweep, read_sweep

BASE: dict[str, Any] = {"tasks": "digits", "models": ["nac", "vit"], "scale": "smoke"}


def expand(**content: Any) -> list[tuple[str, str, int]]:
    """Task, model and seed of every run."""
    sweep = parse_sweep({**BASE, **content}, Path("mine.yaml"))
    return [(config.task.name, config.model.name, config.seed) for config in sweep.expand()]


def test_a_sweep_is_every_task_with_every_model_and_seed_in_a_fixed_order() -> None:
    assert expand(seeds=[1, 0]) == [
        ("digits", "nac", 1),
        ("digits", "nac", 0),
        ("digits", "vit", 1),
        ("digits", "vit", 0),
    ]
    assert parse_sweep(BASE, Path("mine.yaml")).name == "mine"


def test_seeds_can_be_a_range() -> None:
    assert [seed for _, _, seed in expand(models="nac", seeds="2..4")] == [2, 3, 4]


def test_axes_and_settings_reach_every_run() -> None:
    content = {**BASE, "models": "nac", "axes": {"training.lr": [1e-3, 2e-3], "model.depth": 2}}
    configs = parse_sweep({**content, "set": {"training.epochs": 3}}, Path("mine.yaml")).expand()
    assert [config.training.model_dump()["lr"] for config in configs] == [1e-3, 2e-3]
    assert {config.training.model_dump()["epochs"] for config in configs} == {3}
    assert {config.model.options["depth"] for config in configs} == {2}


def varied(**content: Any) -> list[tuple[int, float, int]]:
    """Depth, learning rate and epochs of every run."""
    sweep = parse_sweep({**BASE, "models": "nac", **content}, Path("mine.yaml"))
    assert sum(block.count() for block in sweep.blocks) == len(sweep.expand())
    settings = [config.as_dict() for config in sweep.expand()]
    return [(one["model"]["depth"], one["training"]["lr"], one["training"]["epochs"]) for one in settings]


def test_values_of_zipped_axes_are_taken_together_by_position() -> None:
    zipped = {"model.depth": [2, 3], "training.lr": [1e-3, 5e-4]}
    assert varied(zip=zipped, set={"training.epochs": 1}) == [(2, 1e-3, 1), (3, 5e-4, 1)]
    # a group is one more axis beside the others
    assert varied(zip=zipped, axes={"training.epochs": [1, 2]}) == [
        (2, 1e-3, 1),
        (3, 5e-4, 1),
        (2, 1e-3, 2),
        (3, 5e-4, 2),
    ]
    groups = [zipped, {"training.epochs": [1, 2, 3]}]
    assert len(varied(zip=groups)) == 6
    assert varied(zip={"model.depth": 2, "training.lr": 1e-3, "training.epochs": [7]}) == [(2, 1e-3, 7)]


def test_a_block_has_its_own_zip_or_inherits_it() -> None:
    zipped = {"model.depth": [2, 3], "training.lr": [1e-3, 5e-4]}
    common = {"models": "nac", "scale": "smoke", "tasks": "digits"}
    own = {**common, "include": [{"zip": zipped}, {"set": {"model.depth": 4}}]}
    assert len(parse_sweep(own, Path("mine.yaml")).expand()) == 2 + 1 + 1
    inherited = {"models": "nac", "scale": "smoke", "zip": zipped, "include": [{"tasks": "digits"}]}
    assert len(parse_sweep(inherited, Path("mine.yaml")).expand()) == 2


def test_a_sweep_takes_what_it_extends_and_its_own_keys_win(tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared/base.yaml").write_text(
        "name: base\ntasks: digits\nmodels: [nac, vit]\nscale: smoke\nplugins: plug.py\ntags: base\n"
        "axes: {training.lr: [1e-3, 2e-3]}\nset: {training.epochs: 3, training: {warmup_epochs: 0}}\n"
        "profile: two.yaml\nchoices: rates.yaml\n"
    )
    (tmp_path / "shared/two.yaml").write_text("processes: 2\n")
    (tmp_path / "shared/rates.yaml").write_text("choices: [{when: {model: pointnet}, use: {training.lr: 1}}]\n")
    (tmp_path / "mine.yaml").write_text(
        "extends: shared/base.yaml\nmodels: nac\naxes: {training.batch_size: [16, 32]}\ntags: mine\n"
        "set: {training: {epochs: 1}}\nplugins: [own.py]\n"
    )
    sweep = read_sweep(str(tmp_path / "mine.yaml"))
    assert (sweep.name, sweep.tags, sweep.profile.processes) == ("mine", ("base", "mine"), 2)
    assert sweep.plugins == (str(tmp_path / "own.py"),)
    found = [config.training.model_dump() for config in sweep.expand()]
    assert [(one["lr"], one["batch_size"]) for one in found] == [(1e-3, 16), (1e-3, 32), (2e-3, 16), (2e-3, 32)]
    assert {(one["epochs"], one["warmup_epochs"]) for one in found} == {(1, 0)}
    base = read_sweep(str(tmp_path / "shared/base.yaml"))
    assert (base.name, base.plugins) == ("base", (str(tmp_path / "shared/plug.py"),))


def test_a_sweep_can_extend_a_suite(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("extends: smoke\nseeds: 5\n")
    suite, mine = read_sweep("smoke"), read_sweep(str(tmp_path / "mine.yaml"))
    assert len(mine.expand()) == len(suite.expand())
    assert {config.seed for config in mine.expand()} == {5}


@pytest.mark.parametrize(
    ("base", "own", "message"),
    [
        ("tasks: digits", "models: [nac, nac]", r"mine\.yaml: models = .*'nac' is given twice"),
        ("tasks: [digits, digits]", "models: nac", r"base\.yaml: tasks = .*'digits' is given twice"),
        ("max_runs: many", "tasks: digits\nmodels: nac", r"base\.yaml: max_runs = 'many'"),
        ("task: digits", "models: nac", r"unknown key in sweep .*base\.yaml 'task'; did you mean 'tasks'"),
        ("include: [{seeds: 3..1}]", "tasks: digits\nmodels: nac", r"base\.yaml: include\.0\.seeds = '3\.\.1'"),
        ("tags: a b", "tasks: digits\nmodels: nac", r"base\.yaml: tags\.0 = 'a b'"),
        ("choices: absent.yaml", "tasks: digits\nmodels: nac", r"absent\.yaml"),
        ("axes: {training.lr: 1}", "zip: {training.lr: 2}\ntasks: digits\nmodels: nac", "'training.lr' is given twice"),
    ],
)
def test_an_error_names_the_file_of_several_that_has_it(tmp_path: Path, base: str, own: str, message: str) -> None:
    (tmp_path / "base.yaml").write_text(base)
    (tmp_path / "mine.yaml").write_text(f"extends: base.yaml\n{own}\n")
    with pytest.raises(UserError, match=message):
        read_sweep(str(tmp_path / "mine.yaml"))


def test_included_blocks_inherit_from_the_top() -> None:
    runs = expand(include=[{"tasks": ["listops-short"]}, {"models": "transformer", "seeds": 7}])
    assert runs == [
        ("digits", "nac", 0),
        ("digits", "vit", 0),
        ("listops-short", "nac", 0),
        ("listops-short", "vit", 0),
        ("digits", "transformer", 7),
    ]


def test_a_top_without_tasks_is_no_block() -> None:
    sweep = parse_sweep({"models": "nac", "scale": "smoke", "include": [{"tasks": "digits"}]}, Path("mine.yaml"))
    assert len(sweep.expand()) == 1


def test_the_same_run_in_two_blocks_is_one_run() -> None:
    assert len(expand(include=[{"tasks": "digits"}])) == 2


def test_exclude_removes_runs() -> None:
    assert expand(exclude=[{"task": "digits", "model": "vit"}]) == [("digits", "nac", 0)]
    assert expand(seeds=[0, 1], exclude=[{"seed": [1, 2]}]) == [("digits", "nac", 0), ("digits", "vit", 0)]


def test_resources_override_the_profile_of_matching_runs() -> None:
    rules = [{"when": {"model": "vit"}, "use": {"processes": 3}}]
    sweep = parse_sweep({**BASE, "resources": rules}, Path("mine.yaml"))
    assert [sweep.profile_of(config).processes for config in sweep.expand()] == [1, 3]


def test_automatic_precision_follows_the_profile_s_gpus() -> None:
    profile = {"executor": "slurm", "time": "1h", "gpus": 1}
    sweep = parse_sweep({**BASE, "profile": profile}, Path("mine.yaml"))
    assert {config.precision for config in sweep.expand()} == {"bf16"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"task": "digits"}, r"unknown key in sweep mine.yaml 'task'; did you mean 'tasks'\?"),
        ({"tasks": ["digit"]}, r"run digit · nac · seed 0: unknown task 'digit'; did you mean 'digits'\?"),
        ({"set": {"training.lrr": 1}}, r"unknown setting 'training\.lrr'; did you mean 'training\.lr'"),
        ({"set": {"model.modules": 9}}, r"run digits · vit · seed 0: unknown setting 'model.modules'"),
        ({"seeds": [-1]}, "seed"),
        ({"seeds": [0, 1, 0]}, r"mine.yaml: seeds = \[0, 1, 0\]: 0 is given twice"),
        ({"models": ["nac", "nac"]}, "'nac' is given twice"),
        ({"axes": {"training.lr": [1e-3, 1e-2, 1e-3]}}, r"training\.lr: 0\.001 is given twice"),
        (
            {"zip": {"model.depth": [2, 3], "training.lr": [1e-3]}},
            r"mine.yaml: zip = .*: model\.depth has 2 values and training\.lr has 1; axes of one group have the same",
        ),
        (
            {"zip": {"model.depth": [2, 2, 3], "training.lr": [1e-3, 1e-3, 1e-3]}},
            r"\{'model\.depth': 2, 'training\.lr': 0\.001\} is given twice",
        ),
        (
            {"axes": {"training.lr": [1e-3, 2e-3]}, "zip": {" training.lr": [1e-3]}},
            r"axis 'training\.lr' is given twice, in axes or in zip; keep one of them",
        ),
        ({"zip": [{"training.lr": [1e-3]}, {"training.lr": [1e-2]}]}, r"axis 'training\.lr' is given twice"),
        ({"axes": {"training.lr": [1e-3]}, "zip": {"training": [{"lr": 1}]}}, r"setting 'training\.lr' is given twice"),
        (
            {"axes": {"training.lr": [1e-3]}, "include": [{"zip": {"training.lr": 1}}]},
            r"include\.0\.zip = .*'training\.lr'",
        ),
        ({"zip": {}}, r"zip\.0 = \{\}: has no values; give at least 1"),
        ({"zip": {"training.lr": []}}, r"zip\.0\.training\.lr = \[\]: has no values"),
        ({"zip": "training.lr"}, r"zip = 'training\.lr': input should be a list"),
        ({"zip": ["training.lr"]}, r"zip\.0 = 'training\.lr': input should be a mapping"),
        ({"zip": {f"training.{n}": [*range(10_001)] for n in "ab"}}, "20,002 runs would take"),
        ({"tags": ["a b"]}, r"mine.yaml: tags\.0 = 'a b': a tag has letters, digits"),
        ({"tags": [2024]}, r'mine.yaml: tags\.0 = 2024: write it as text; in YAML in quotes, as in "2024"'),
        ({"notes": ""}, r"mine.yaml: notes\.0 = '': a note has 1 to 2,000 characters"),
        ({"exclude": [{"model": "resnet"}]}, r"exclude .* matches no run"),
        ({"exclude": [{"task": "digits"}]}, "has no runs left"),
        ({"models": []}, r"mine.yaml: models = \[\]: has no values; give at least 1"),
        ({"axes": {"training.lr": []}}, r"mine.yaml: axes\.training\.lr = \[\]: has no values; give at least 1"),
        ({"seeds": "3..1"}, r"mine.yaml: seeds = '3\.\.1': the range 3\.\.1 is empty"),
        ({"seeds": "0..999999999999"}, r"mine.yaml: .*1,000,000,000,000 seeds, but a sweep has 1,000,000 runs at most"),
        (
            {"seeds": "0..10000"},
            r"10,001 seeds would take about 3 s to plan, and, at a minute and 1 MB each, 167 core-hours and 10 GB; if "
            r"so many are meant, pass --max-runs 10001 \(or write max_runs: 10001 in the file\)",
        ),
        ({"seeds": "0..4", "max_runs": 4}, r"mine.yaml: seeds = '0\.\.4': 5 seeds would take"),
        (
            {"axes": {f"training.a{n}": [*range(100)] for n in range(10)}},
            "00,000,000,000,000 runs, but a sweep",
        ),
        ({"max_runs": 0}, "max_runs = 0"),
        ({"max_runs": True}, "max_runs = True"),
        ({"max_runs": "many"}, "max_runs = 'many'"),
        ({"max_runs": 10**12}, "max_runs = 1000000000000"),
        ({"max_runs": 10**12, "seeds": "0..99999999"}, "100,000,000 seeds, but a sweep has 1,000,000 runs at most"),
        ({"seeds": f"0..{'9' * 5000}"}, r"seeds = '0\.\.9{20,60}…: "),
        (
            {"seeds": "0..999", "axes": {"training.epochs": [*range(6)]}, "max_runs": 11_999},
            "mine.yaml: 12,000 runs would take .*max_runs: 12000",
        ),
        ({"models": {"name": "nac"}}, r"mine.yaml: models = \{'name': 'nac'\}"),
        ({"include": [{"seeds": 1}, {"seeds": "3..1"}]}, r"mine.yaml: include\.1\.seeds = '3\.\.1'"),
        (
            {"include": "digits"},
            "include = 'digits': write a list of blocks, .*; a file to start from is named by extends",
        ),
        ({"profile": "nowhere"}, "no profile 'nowhere'"),
        ({"profile": {"executor": "slurm"}}, "a slurm profile needs a time"),
        ({"profile": {"gpu": 1}}, r"profile\.gpu"),
        ({"decide": 3}, r"mine.yaml: decide = 3: input should be a mapping$"),
        ({"decide": {"compare": [["nac"]]}}, r"mine.yaml: decide\.compare\.0\.1: field required"),
        ({"decide": {"compare": [["nac", "vit", "gru"]]}}, r"decide\.compare\.0 = .*: has 3 values; give at most 2"),
        ({"decide": {"compare": ["nac", "vit"]}}, r"decide\.compare\.0 = 'nac': input should be a list"),
        ({"decide": {"margin": True}}, r"decide\.margin = True: input should be a valid number"),
        ({"decide": {"margin": "1_0"}}, r"decide\.margin = '1_0': input should be a valid number"),
        ({"decide": {"margin": -1}}, r"decide\.margin = -1: input should be greater"),
        ({"decide": {"margin": float("nan")}}, r"decide\.margin = nan: input should be a finite number"),
        ({"decide": {"margin": 1e7}}, r"decide\.margin = 10000000\.0: input should be less"),
        ({"resources": [{"when": {"task": "digits"}}]}, r"mine.yaml: resources\.0\.use: field required"),
        ({"resources": [{"when": {"task": "digits"}, "use": {"gpux": 1}}]}, "gpux"),
        (
            {"resources": [{"when": {"task": "digitz"}, "use": {"gpus": 8}}]},
            "resources: when .*digitz.* matches no run",
        ),
        ({"choices": [{"when": {"task": "digitz"}, "use": {"seed": 8}}]}, "choices: when .*digitz.* matches no run"),
        ({"profile": {"time": "xx"}}, "time = 'xx': write minutes, 12h"),
        ({"profile": {"time": True}}, r"profile\.time.* = True"),
        ({"profile": {"cpus": True}}, r"profile\.cpus = True: input should be a valid integer"),
        ({"profile": {"cpus": 10**9}}, r"profile\.cpus = 1000000000: input should be less than"),
        ({"profile": {"compile": "yes"}}, r"profile\.compile = 'yes': input should be 'auto', 'on' or 'off'"),
        ({"profile": {"workers": 257}}, r"profile\.workers = 257: input should be less than"),
        ({"profile": {"memory_gb": math.inf}}, r"profile\.memory_gb = inf: input should be a finite number"),
        ({"profile": {"requeue": "yes"}}, r"profile\.requeue = 'yes': input should be a valid boolean"),
        ({"seeds": True}, r"seeds\.0 = True: input should be a valid integer"),
        ({"seeds": 2**63}, r"seeds\.0 = 9223372036854775808: input should be less than"),
        ({"seeds": "0..9999999999999999999"}, r"seeds = '0\.\.9999999999999999999'"),
        ({"set": {"seed": 3}}, "seed does not belong here; a sweep has a key of its own for it"),
        ({"set": {"task": {"name": "cifar10"}}}, "task does not belong here"),
        ({"set": {"model.name": "nac"}}, "model does not belong here"),
        (
            {"resources": [{"when": {"seed": 0}, "use": {"time": "xx"}}]},
            "resources: use: time = 'xx': write minutes",
        ),
        ({"set": {"training": {"lr": 1.0}, "training.lr": 2.0}}, r"setting 'training\.lr' is given twice; remove one"),
        ({"name": "../x"}, "name"),
    ],
)
def test_what_cannot_be_is_named(content: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        make_plan(parse_sweep({**BASE, **content}, Path("mine.yaml")), Path("nowhere"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"tasks": "digits"}, r"^mine.yaml: models: field required$"),
        ({"models": "nac", "include": [{"seeds": 1}]}, r"^mine.yaml: include\.0\.tasks: field required$"),
        ({"models": "nac", "include": [{"tasks": []}]}, r"^mine.yaml: include\.0\.tasks = \[\]"),
        ({"models": [], "include": [{"tasks": "digits"}]}, r"^mine.yaml: models = \[\]"),
    ],
)
def test_an_error_names_the_key_in_the_file(content: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        parse_sweep(content, Path("mine.yaml"))


def test_resources_can_match_runs_that_train_for_others() -> None:
    rules = [{"when": {"task": "digits"}, "use": {"processes": 3}}]
    sweep = parse_sweep({**BASE, "tasks": "digits-c", "resources": rules}, Path("mine.yaml"))
    assert len(sweep.expand()) == 2


def test_choices_of_a_file_need_not_all_match(tmp_path: Path) -> None:
    others = "{when: {task: cifar10}, use: {training.lr: 1}}"
    (tmp_path / "rates.yaml").write_text(f"choices: [{others}, {{when: {{task: digits}}, use: {{training.lr: 2}}}}]")
    sweep = parse_sweep({**BASE, "choices": "rates.yaml"}, tmp_path / "mine.yaml")
    assert len(sweep.expand()) == 2


def test_a_file_of_choices_of_which_none_matches_is_refused(tmp_path: Path) -> None:
    """As one of another scale: all runs would have the rates that nothing chose, without a word."""
    (tmp_path / "rates.yaml").write_text("choices: [{when: {scale: paper}, use: {training.lr: 1}}]")
    sweep = parse_sweep({**BASE, "choices": "rates.yaml"}, tmp_path / "mine.yaml")
    with pytest.raises(UserError, match=r"none of the 1 in this file matches a run of sweep 'mine'.*'scale': 'paper'"):
        sweep.expand()
    # a sweep that extends another one does not ask for its choices
    (tmp_path / "base.yaml").write_text("choices: rates.yaml")
    (tmp_path / "more.yaml").write_text("{extends: base.yaml, tasks: digits, models: nac, scale: smoke}")
    assert len(read_sweep(str(tmp_path / "more.yaml")).expand()) == 1


@pytest.mark.parametrize("content", ["", "just a sentence"])
def test_a_file_that_is_not_a_sweep_lists_the_keys(tmp_path: Path, content: str) -> None:
    (tmp_path / "mine.yaml").write_text(content)
    with pytest.raises(
        UserError, match=r"a mapping with the keys tasks, models, seeds, .*, include, .*, max_runs, extends$"
    ):
        read_sweep(str(tmp_path / "mine.yaml"))


def test_a_pattern_matches_names_and_settings() -> None:
    config = {"task": {"name": "digits", "patch": 2}, "seed": 3}
    assert matches(config, {"task": "digits", "task.patch": [1, 2]})
    assert not matches(config, {"task": "digits", "seed": 4})


def test_more_runs_are_planned_if_the_file_says_so() -> None:
    settings = {"tasks": "digits", "models": "vit", "seeds": "0..10000", "max_runs": 10_001}
    runs = make_plan(parse_sweep({**BASE, **settings}, Path("mine.yaml")), Path("nowhere")).runs
    assert len({run.run_id for run in runs}) == 10_001


def test_the_command_line_has_the_last_word_on_the_number_of_runs(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("{tasks: digits, models: vit, seeds: 0..4, max_runs: 4}")
    with pytest.raises(UserError, match="max-runs 5"):
        read_sweep(str(file))
    assert len(read_sweep(str(file), max_runs=5).expand()) == 5


def test_runs_that_differ_in_their_seed_are_as_if_each_were_resolved() -> None:
    content = {"tasks": ["digits", "digits-c"], "models": ["vit", "nac"], "seeds": [0, 3], "scale": "smoke"}
    configs = parse_sweep({**content, "precision": "fp32"}, Path("mine.yaml")).expand()
    assert [config.seed for config in configs] == [0, 3] * 4
    for config in configs:
        again = resolve(config.as_dict())
        assert again == config
        assert again.trained_on is None or (config.trained_on and config.trained_on.seed == config.seed)
        assert config.task_plugin == again.task_plugin


def test_a_seed_that_is_none_is_named_though_others_are_good() -> None:
    with pytest.raises(UserError, match=r"mine.yaml: seeds\.1 = -1"):
        parse_sweep({"tasks": "digits", "models": "vit", "seeds": [0, -1]}, Path("mine.yaml")).expand()


def test_a_seed_of_the_training_run_alone_is_refused() -> None:
    content = {"tasks": "digits-c", "models": "vit", "seeds": [0, 1], "set": {"trained_on.seed": 0}}
    with pytest.raises(UserError, match=r"seed 1: trained_on\.seed = 0: both runs have the same seed"):
        parse_sweep(content, Path("mine.yaml")).expand()


def test_runs_with_one_title_are_told_apart_by_what_differs() -> None:
    content = {"tasks": "digits", "models": "vit", "axes": {"training.lr": [0.1, 0.2], "training.epochs": [1, 2]}}
    runs = make_plan(parse_sweep({**content, "scale": "smoke"}, Path("mine.yaml")), Path("nowhere")).runs
    assert {run.variant for run in runs} == {
        f"training.epochs={e}, training.lr={r}" for e in (1, 2) for r in (0.1, 0.2)
    }


def test_a_suite_has_as_many_runs_as_its_plan(tmp_path: Path) -> None:
    sweep = read_sweep("paper-speedup")  # with runs that only train networks
    wanted, extra = counts_of(sweep)
    planned = make_plan(sweep, tmp_path).runs
    assert (wanted, extra) == (sum(run.is_wanted for run in planned), sum(not run.is_wanted for run in planned))
    assert extra > 0


def test_seeds_are_read_from_text() -> None:
    assert seeds_in("3", 10) == [3]
    assert seeds_in("0..2", 10) == [0, 1, 2]
    assert seeds_in("5,0,5", 10) == [5, 0]


@pytest.mark.parametrize("text", ["x", "3..1", "0..99", "-1", "1.5", "1,", "٣"])
def test_seeds_that_make_no_sense_are_refused(text: str) -> None:
    with pytest.raises(UserError, match=re.escape(f"--seeds {text}: ")):
        seeds_in(text, 10)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("extends: minni", "extends: there is no file .*minni, and unknown suite 'minni'; did you mean 'mini'"),
        ("seeds: 0-4", r"mine\.yaml: seeds = '0-4': write a range of seeds as 0\.\.4"),
        ("choices: rates.yaml", r"mine\.yaml, line 3: choices: cannot read .*rates\.yaml"),
        ("profile: other.yaml", r"mine\.yaml, line 3: profile: .*other\.yaml"),
    ],
)
def test_a_file_that_a_key_names_is_told_with_the_key_and_the_sweep_s_file(
    line: str, said: str, tmp_path: Path
) -> None:
    (tmp_path / "mine.yaml").write_text(f"tasks: digits\nmodels: vit\n{line}\n")
    with pytest.raises(UserError, match=said):
        read_sweep(str(tmp_path / "mine.yaml"))
