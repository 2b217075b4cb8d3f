"""Sweep files: what they expand to, and that slips of the pen are found."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from nacbench.errors import UserError
from nacbench.sweep.config import matches, parse_sweep, read_sweep, suites
from nacbench.sweep.profile import Profile, minutes

from ..conftest import REPOSITORY

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


def test_seeds_can_be_a_span() -> None:
    assert [seed for _, _, seed in expand(models="nac", seeds="2..4")] == [2, 3, 4]


def test_axes_and_settings_reach_every_run() -> None:
    content = {**BASE, "models": "nac", "axes": {"training.lr": [1e-3, 2e-3], "model.depth": 2}}
    configs = parse_sweep({**content, "set": {"training.epochs": 3}}, Path("mine.yaml")).expand()
    assert [config.training.model_dump()["lr"] for config in configs] == [1e-3, 2e-3]
    assert {config.training.model_dump()["epochs"] for config in configs} == {3}
    assert {config.model.options["depth"] for config in configs} == {2}


def test_included_blocks_take_from_the_top_what_they_do_not_say() -> None:
    runs = expand(include=[{"tasks": ["listops-short"]}, {"models": "transformer", "seeds": 7}])
    assert runs == [
        ("digits", "nac", 0),
        ("digits", "vit", 0),
        ("listops-short", "nac", 0),
        ("listops-short", "vit", 0),
        ("digits", "transformer", 7),
    ]


def test_a_top_without_tasks_only_says_what_the_blocks_share() -> None:
    sweep = parse_sweep({"models": "nac", "scale": "smoke", "include": [{"tasks": "digits"}]}, Path("mine.yaml"))
    assert len(sweep.expand()) == 1


def test_the_same_run_in_two_blocks_is_one_run() -> None:
    assert len(expand(include=[{"tasks": "digits"}])) == 2


def test_exclusions_leave_runs_out() -> None:
    assert expand(exclude=[{"task": "digits", "model": "vit"}]) == [("digits", "nac", 0)]
    assert expand(seeds=[0, 1], exclude=[{"seed": [1, 2]}]) == [("digits", "nac", 0), ("digits", "vit", 0)]


def test_resources_of_their_own_change_the_profile_of_some_runs() -> None:
    rules = [{"when": {"model": "vit"}, "use": {"processes": 3}}]
    sweep = parse_sweep({**BASE, "resources": rules}, Path("mine.yaml"))
    assert [sweep.profile_of(config).processes for config in sweep.expand()] == [1, 3]


def test_automatic_precision_is_that_of_the_gpus_that_runs_will_have() -> None:
    profile = {"executor": "slurm", "time": "1h", "gpus": 1}
    sweep = parse_sweep({**BASE, "profile": profile}, Path("mine.yaml"))
    assert {config.precision for config in sweep.expand()} == {"bf16"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"task": "digits"}, r"unknown key in sweep mine.yaml 'task'; did you mean 'tasks'\?"),
        ({"tasks": ["digit"]}, r"run digit · nac · seed 0: unknown task 'digit'; did you mean 'digits'\?"),
        ({"set": {"training.lrr": 1}}, r"unknown setting 'training\.lrr'; did you mean 'training\.lr'"),
        ({"set": {"model.modules": 9}}, r"run digits · vit · seed 0: unknown option of model 'modules'"),
        ({"seeds": [-1]}, "seed"),
        ({"exclude": [{"model": "resnet"}]}, r"exclude .* matches no run"),
        ({"exclude": [{"task": "digits"}]}, "has no runs left"),
        ({"models": []}, "models"),
        ({"include": "digits"}, "include = 'digits': write a list of blocks"),
        ({"profile": "nowhere"}, "no profile 'nowhere'"),
        ({"profile": {"executor": "slurm"}}, "a slurm profile needs a time"),
        ({"profile": {"gpu": 1}}, r"profile\.gpu"),
        ({"resources": [{"when": {"task": "digits"}, "use": {"gpux": 1}}]}, "gpux"),
        ({"name": "../x"}, "name"),
    ],
)
def test_what_cannot_be_is_named(content: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        expand(**content)


def test_a_pattern_looks_at_names_and_settings() -> None:
    config = {"task": {"name": "digits", "patch": 2}, "seed": 3}
    assert matches(config, {"task": "digits", "task.patch": [1, 2]})
    assert not matches(config, {"task": "digits", "seed": 4})


@pytest.mark.parametrize("name", suites())
def test_every_suite_expands(name: str) -> None:
    sweep = read_sweep(name)
    assert sweep.description
    assert len(sweep.expand()) > 1


def test_an_unknown_suite_suggests_one() -> None:
    with pytest.raises(UserError, match="unknown suite 'smok'; did you mean 'smoke'"):
        read_sweep("smok")


@pytest.mark.parametrize("path", sorted((REPOSITORY / "slurm").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_profile_of_the_project_is_one(path: Path) -> None:
    assert Profile.read(str(path)).executor == "slurm"
    assert Profile.read(path.stem, near=REPOSITORY) == Profile.read(str(path))


def test_a_profile_is_found_beside_the_sweep_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump({**BASE, "profile": "two.yaml"}))
    (tmp_path / "two.yaml").write_text("processes: 2\n")
    assert read_sweep(str(tmp_path / "mine.yaml")).profile.processes == 2


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (90, 90),
        ("90", 90),
        ("12h", 720),
        ("90min", 90),
        ("1.5h", 90),
        ("2d", 2880),
        ("1-12:00:00", 2160),
        ("0:30:00", 30),
    ],
)
def test_times_as_people_write_them(text: str | int, expected: int) -> None:
    assert minutes(text) == expected


@pytest.mark.parametrize("text", ["", "soon", "0", "-3h", "1:2:3:4", "3 weeks"])
def test_other_times_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="write minutes, 12h"):
        minutes(text)
