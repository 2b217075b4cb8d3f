"""Configuration files: several, files that extend others, what is refused in one line, and where each value is from."""

import re
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from nacbench import run
from nacbench.cli import app
from nacbench.errors import UserError
from nacbench.formats.extending import DEEPEST
from nacbench.formats.yaml_text import parse_yaml
from nacbench.running.config import RunConfig
from nacbench.running.config_files import RunFiles, read_run_files
from nacbench.running.resolve import resolve

BASE = "task: digits\nscale: smoke\ntraining:\n  lr: 1e-3\n  epochs: 3\ntags: [base]\n"
WIDE = "extends: base.yaml\nmodel: {name: nac, depth: 1}\ntraining: {epochs: 1}\n"
SLOW = "extends: ../base.yaml\ntraining: {warmup_epochs: 0.5}\nnotes: Slow\ntags: slow\n"


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with some files, in which the commands are typed."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "base.yaml").write_text(BASE)
    (tmp_path / "wide.yaml").write_text(WIDE)
    (tmp_path / "more").mkdir()
    (tmp_path / "more/slow.yaml").write_text(SLOW)
    return tmp_path


def read(*names: str) -> RunFiles:
    return read_run_files([Path(name) for name in names])


def config(*names: str) -> RunConfig:
    return resolve(*(layer.settings for layer in read(*names).layers))


def training(*names: str) -> list[Any]:
    found = config(*names).training.model_dump()
    return [found[key] for key in ("lr", "epochs", "warmup_epochs")]


def test_a_file_takes_what_it_extends_and_its_own_keys_win() -> None:
    assert training("wide.yaml") == [1e-3, 1, 1.0]
    assert config("wide.yaml").task.name == "digits"


def test_of_several_files_the_later_ones_win_and_a_shared_base_counts_once() -> None:
    # slow.yaml extends the base, too, whose epochs do not come back over those of wide.yaml
    assert training("wide.yaml", "more/slow.yaml") == [1e-3, 1, 0.5]
    assert [layer.place for layer in read("wide.yaml", "more/slow.yaml").layers] == [
        "base.yaml",
        "wide.yaml",
        "more/slow.yaml",
    ]


def test_one_configuration_has_one_id_from_one_file_or_three(place: Path) -> None:
    whole = "task: digits\nscale: smoke\nmodel: {name: nac, depth: 1}\ntraining: {lr: 0.001, epochs: 1}\n"
    (place / "whole.yaml").write_text(whole + "tags: [a, b]\nnotes: [One]\n")
    (place / "last.yaml").write_text("seed: 0\ntags: c\n")
    assert config("whole.yaml") == config("base.yaml", "wide.yaml", "last.yaml")
    assert config("whole.yaml") == config("wide.yaml")


def test_tags_and_notes_of_all_files_add_up() -> None:
    found = read("wide.yaml", "more/slow.yaml").tags
    assert (found.tags, found.notes) == (("base", "slow"), ("Slow",))


def test_a_list_replaces_and_a_mapping_is_merged(place: Path) -> None:
    (place / "a.yaml").write_text(
        "extends: [base.yaml]\nplugins: [one.py, two.py]\ntraining: {augment: {mixup: 0.5}}\n"
    )
    (place / "more/b.yaml").write_text("extends: ../a.yaml\nplugins: three.py\ntraining: {augment: {flip: true}}\n")
    assert read("a.yaml").plugins == [Path("one.py"), Path("two.py")]
    assert read("more/b.yaml").plugins == [Path("more/three.py")]  # beside the file that names it
    augment = resolve({"model": "nac"}, *(one.settings for one in read("more/b.yaml").layers)).training.model_dump()
    assert (augment["augment"]["mixup"], augment["augment"]["flip"]) == (0.5, True)


def test_a_link_is_the_file_that_it_leads_to(place: Path) -> None:
    (place / "link.yaml").symlink_to(place / "base.yaml")
    assert [layer.place for layer in read("link.yaml", "wide.yaml").layers] == ["link.yaml", "wide.yaml"]
    (place / "base.yaml").write_text("extends: link.yaml\n")
    with pytest.raises(UserError, match=r"in a circle: base\.yaml → link\.yaml;"):
        read("base.yaml")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("extends: x.yaml", r"in a circle: x\.yaml → x\.yaml; remove one of these"),
        ("extends: [wide.yaml, more/y.yaml]", r"in a circle: x\.yaml → more/y\.yaml → more/\.\./x\.yaml; remove"),
        ("extends: absent.yaml", r"cannot read absent\.yaml: No such file or directory; x\.yaml extends it"),
        ("extends: more", r"more is a folder, not a file; x\.yaml extends it"),
        ("extends: https://example.org/a.yaml", "is an address; download it, and name the file; x.yaml extends it"),
        ("extends: [wide.yaml, base.yaml]", r"x\.yaml: base\.yaml is there already, and would change nothing"),
        ("extends: [base.yaml, base.yaml]", "is there already"),
        ("extends: 5", r"x\.yaml: extends = 5: write a file, or a list of files"),
        ("extends: []", r"x\.yaml: extends = \[\]: write a file"),
        ("extends:", r"x\.yaml: extends = None: write a file"),
        ("extends: ['']", "write a file"),
        ("include: [{tasks: digits}]", r"x\.yaml: include = .*: write a file, or a list of files"),
        ("include: base.yaml\nextends: base.yaml", r"x\.yaml: extends and include mean the same; keep one of them"),
        ("extends: broken.yaml", r"broken\.yaml is not valid YAML at line 2.*; x\.yaml extends it"),
        ("extends: a.yaml\nextends: b.yaml", "key 'extends' is given a second time, after line 1"),
        ("tags: [12:30, 5]", r"x\.yaml: tags\.1 = 5: write it as text; in YAML in quotes"),
        ("plugins: {a: 1}", r"x\.yaml: plugins = \{'a': 1\}: write a list of Python files"),
    ],
)
def test_what_cannot_be_is_one_line_that_names_file_and_value(place: Path, content: str, message: str) -> None:
    (place / "x.yaml").write_text(content)
    (place / "more/y.yaml").write_text("extends: ../x.yaml")
    (place / "broken.yaml").write_text("seed: 1\nseed: 2\n")
    with pytest.raises(UserError, match=message):
        read("x.yaml")


def test_a_file_named_twice_or_after_one_that_extends_it_is_refused() -> None:
    for names in (["base.yaml", "base.yaml"], ["wide.yaml", "base.yaml"], ["base.yaml", "more/../base.yaml"]):
        with pytest.raises(UserError, match="is there already, and would change nothing; name it once, before what"):
            read(*names)
    assert len(read("base.yaml", "wide.yaml").layers) == 2


def test_the_number_of_files_that_extend_one_another_is_bounded(place: Path) -> None:
    for number in range(DEEPEST + 1):
        (place / f"{number}.yaml").write_text(f"extends: {number + 1}.yaml\n")
    (place / f"{DEEPEST + 1}.yaml").write_text("seed: 1\n")
    with pytest.raises(UserError, match=rf"more than {DEEPEST} files extend one another, from 0\.yaml"):
        read("0.yaml")
    assert len(read("2.yaml").layers) == DEEPEST


def test_include_is_the_same_word_in_a_run_s_file(place: Path) -> None:
    (place / "other.yaml").write_text(WIDE.replace("extends", "include"))
    assert config("other.yaml") == config("wide.yaml")


def test_yaml_s_traps_stay_what_they_are(place: Path) -> None:
    (place / "traps.yaml").write_text("task: {name: digits, normalisation: own}\ntags: [12:30, off, yes, 1e]\n")
    assert read("traps.yaml").tags.tags == ("12:30", "1e", "off", "yes")


def printed(*words: str) -> str:
    result = CliRunner().invoke(app, ["run", *words, "--print-config"])
    assert result.exit_code == 0, result.exception
    return result.output


def test_print_config_says_where_values_come_from_and_can_be_given_back(place: Path) -> None:
    options = ["--seed", "3", "--set", "training.augment.mixup=0.5", "--tag", "shown", "--note", "It's: a #1 note"]
    text = printed("--config", "wide.yaml", "--config", "more/slow.yaml", *options)
    lines = [line.strip() for line in text.splitlines()]
    for line in (
        "name: digits  # base.yaml, line 1",
        "lr: 0.001  # base.yaml, line 4",
        "depth: 1  # wide.yaml, line 2",
        "epochs: 1  # wide.yaml, line 3",
        "warmup_epochs: 0.5  # more/slow.yaml, line 2",
        "seed: 3  # --seed",
        "mixup: 0.5  # --set training.augment.mixup=0.5",
        "flip: false",
    ):
        assert line in lines
    (place / "again.yaml").write_text(text)
    again = read("again.yaml")
    given = resolve(
        *(layer.settings for layer in read("wide.yaml", "more/slow.yaml").layers),
        {"seed": 3, "training": {"augment": {"mixup": 0.5}}},
    )
    assert config("again.yaml") == given
    assert (again.tags.tags, again.tags.notes) == (("base", "shown", "slow"), ("Slow", "It's: a #1 note"))
    assert parse_yaml(printed("--config", "again.yaml"), "") == parse_yaml(text, "")
    assert not (place / "runs").exists()


def test_a_hostile_name_of_a_file_stays_in_its_comment(place: Path) -> None:
    (place / "x\nseed: 7.yaml").write_text("extends: wide.yaml\ntraining: {lr: 0.1}\n")
    text = printed("--config", "x\nseed: 7.yaml")
    assert parse_yaml(text, "")["seed"] == 0


@pytest.mark.parametrize(
    ("base", "own", "line"),
    [
        ("training: {lr: high}", "model: nac", "base.yaml, line 1: training.lr = 'high': input should"),
        ("seed: 0", "model: {name: nac, dept: 3}", "own.yaml, line 3: unknown setting 'model.dept'; did"),
        ("seed: 0", "model: {name: vit, modules: 3}", "own.yaml, line 3: unknown setting 'model.modules'; model vit"),
        ("seed: yes", "model: nac", "base.yaml, line 1: seed = 'yes'"),
        ("training.lr: 0.1", "model: nac", "base.yaml, line 1: unknown setting 'training.lr'; in a file write"),
    ],
)
def test_an_error_about_a_value_names_its_file_and_line(
    base: str, own: str, line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("base.yaml").write_text(f"{base}\n")
    Path("own.yaml").write_text(f"extends: base.yaml\ntask: digits\n{own}\n")
    with pytest.raises(UserError, match=f"^{re.escape(line)}"):
        run(config="own.yaml")
    for more in ([], ["--print-config"]):
        done = CliRunner().invoke(app, ["run", "--config", "own.yaml", *more])
        assert isinstance(done.exception, UserError)
        assert str(done.exception).startswith(line)
