"""Plug-ins that give something wrong, raise something or leave: one line, a failure file, and no record."""

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import nacbench
from nacbench.errors import DivergedError, RunFailedError, UserError
from nacbench.recording.record import read_failure
from nacbench.registry import MODELS, PROTOCOLS, TASKS

TASK = """
import sys
from dataclasses import dataclass
import numpy as np
from nacbench.contracts.task import Evaluation
from nacbench.contracts.spec import TaskSpec, Tokens
from nacbench.data.images.recipe import ImageRecipe
from nacbench.data.images.task import ImageTask
from nacbench.data.live import Classification
from nacbench.data.mirror.cache import Arrays


def examples(count):
    labels = np.arange(count) % 3
    images = np.repeat(labels * 80, 64).reshape(count, 1, 8, 8).astype(np.uint8)
    return images, labels.astype(np.int16)


def good():
    return {f"{split}_{name}": array for split, count in (("train", 24), ("test", 9))
            for name, array in zip(("images", "labels"), examples(count))}


@dataclass(frozen=True, kw_only=True)
class Mine(ImageTask):
    title = "Mine"
    classes = 3
    licence = citation = provenance = "made"
    shape = (1, 8, 8)
    mean = std = (0.5,)
    patch: int = 1
    stem_width: int = 4
    position_dim: int = 4
    recipes = dict.fromkeys(("smoke", "mini", "paper"), ImageRecipe(epochs=1, batch_size=8, lr=1e-3))

    def arrays(self, data_root):
        return Arrays(good(), "made")
"""
MODEL = """
import sys
from dataclasses import dataclass
import torch
from torch import nn
from nacbench.contracts.model import Model


class Core(nn.Module):
    def __init__(self, spec):
        super().__init__()
        self.logits = nn.Linear(spec.token_dim, spec.classes)

    def forward(self, tokens, mask=None):
        return self.logits(tokens.mean(1))


@dataclass(frozen=True, kw_only=True)
class Mine(Model):
    title = "Mine"

    def build(self, spec):
        return Core(spec)
"""


@pytest.fixture(autouse=True)
def only_these_files() -> Iterator[None]:
    yield
    for registry in (TASKS, MODELS, PROTOCOLS):
        registry.forget_files()


def with_lines(source: str, lines: str) -> str:
    """A plug-in with lines added to the body of its class."""
    return source + "".join(f"    {line}\n" for line in lines.splitlines())


def run(tmp_path: Path, task: str = TASK, model: str = MODEL, **settings: object) -> None:
    """Run a made task with a made model, both called ``mine``."""
    files = []
    for kind, source in (("task", task), ("model", model)):
        folder = tmp_path / kind
        folder.mkdir(parents=True)
        files.append(folder / f"my_{kind}.py")
        files[-1].write_text(source)
    nacbench.run(
        "my-task",
        "my-model",
        scale="smoke",
        precision="fp32",
        plugins=files,
        out=tmp_path / "runs",
        data_root=tmp_path,
        quiet=True,
        **settings,  # type: ignore[arg-type]
    )


def assert_refused(tmp_path: Path, message: str, start: Callable[[], None], kind: type[UserError] = UserError) -> None:
    """Check that a run raises one line, and leaves that in a failure file and no record, if it has an id."""
    with pytest.raises(kind) as refused:
        start()
    assert re.search(message, str(refused.value)), str(refused.value)
    assert "\n" not in str(refused.value)
    assert not list(tmp_path.rglob("record.json"))
    for path in tmp_path.rglob("failure.json"):
        assert re.search(message, read_failure(path).reason)


def test_the_task_and_the_model_that_the_others_change_are_good(tmp_path: Path) -> None:
    run(tmp_path)
    assert list(tmp_path.rglob("record.json"))


ARRAYS = {
    "a label of one half": (
        "a['train_labels'] = a['train_labels'] + 0.5",
        r"train_labels of float64, 24, and should give whole numbers N from 0 to 2",
    ),
    "labels that are floats": ("a['test_labels'] = a['test_labels'].astype('f4')", r"test_labels of float32"),
    "negative labels": (
        "a['test_labels'][4] = -1",
        r"gives -1 in test_labels, example 4, and should give whole numbers from 0 to 2",
    ),
    "a label too large": ("a['train_labels'][0] = 3", r"gives 3 in train_labels, example 0"),
    "labels in two columns": ("a['train_labels'] = np.zeros((24, 2), int)", r"train_labels of int64, 24×2"),
    "labels as text": ("a['train_labels'] = np.array(['a'] * 24)", r"train_labels of <U1"),
    "labels as true and false": ("a['train_labels'] = a['train_labels'] > 0", r"train_labels of bool"),
    "labels as a list": ("a['train_labels'] = [0] * 24", r"a list as train_labels, and should give a NumPy array"),
    "labels as objects": ("a['train_labels'] = np.array([None] * 24)", r"train_labels of object"),
    "fewer labels than images": (
        "a['train_labels'] = a['train_labels'][:20]",
        r"gives 20 train_labels, but 24 train_images",
    ),
    "an empty test split": (
        "a |= {'test_images': a['test_images'][:0], 'test_labels': a['test_labels'][:0]}",
        r"gives no test_labels: the array is empty",
    ),
    "an empty training split": (
        "a |= {'train_images': a['train_images'][:0], 'train_labels': a['train_labels'][:0]}",
        r"gives no train_labels",
    ),
    "no test split": ("del a['test_labels']", r"has no test_labels; it has train_images"),
    "no training images": ("del a['train_images']", r"has no train_images; it has"),
    "images as floats": (
        "a['train_images'] = a['train_images'] / 255",
        r"train_images of float64, 24×1×8×8, and should give bytes \(uint8\) N×1×8×8",
    ),
    "images with channels last": (
        "a['test_images'] = a['test_images'].reshape(9, 8, 8, 1)",
        r"test_images of uint8, 9×8×8×1",
    ),
    "images of another size": ("a['train_images'] = a['train_images'][..., :7]", r"train_images of uint8, 24×1×8×7"),
    "images as a generator": ("a['train_images'] = (x for x in a['train_images'])", r"a generator as train_images"),
    "images as None": ("a['train_images'] = None", r"gives None as train_images"),
    "a single number": ("a['train_labels'] = np.array(1)", r"a single number as train_labels"),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_wrong_arrays_are_refused(tmp_path: Path, name: str) -> None:
    change, message = ARRAYS[name]
    lines = f"def arrays(self, data_root):\n    a = good()\n    {change}\n    return Arrays(a, 'made')"
    assert_refused(tmp_path, rf"Mine\.arrays\(\).*{message}", lambda: run(tmp_path, with_lines(TASK, lines)))
    assert list(tmp_path.rglob("failure.json"))


BROKEN_VALUES = {
    "points": ("float32", r"Points\.arrays\(\) gives nan in train_points, example 1, and should give finite numbers"),
    "symbols": (
        "int16",
        r"Symbols\.arrays\(\) gives 99 in train_symbols, example 1, and should give whole numbers from 0 to 4",
    ),
}
POINTS = """
import numpy as np
from dataclasses import dataclass
from nacbench.data.mirror.cache import Arrays
from nacbench.data.points.recipe import PointRecipe
from nacbench.data.points.task import PointTask

@dataclass(frozen=True, kw_only=True)
class Points(PointTask):
    title = "Points"
    classes = 2
    licence = citation = provenance = "made"
    stored = 4
    points: int = 4
    recipes = dict.fromkeys(("smoke", "mini", "paper"), PointRecipe(epochs=1, batch_size=2, lr=1e-3))

    def arrays(self, data_root):
        points = np.zeros((4, 4, 3), np.float32)
        points[1, 2, 0] = np.nan
        labels = np.arange(4, dtype=np.int16) % 2
        return Arrays({"train_points": points, "train_labels": labels, "test_points": points, "test_labels": labels}, "made")
"""
SYMBOLS = """
import numpy as np
from dataclasses import dataclass
from nacbench.contracts.recipe import Recipe
from nacbench.data.mirror.cache import Arrays
from nacbench.data.sequences.task import SequenceTask

@dataclass(frozen=True, kw_only=True)
class Symbols(SequenceTask):
    title = "Symbols"
    modality = "symbols"
    classes = 2
    licence = citation = provenance = "made"
    vocabulary = 5
    recipes = dict.fromkeys(("smoke", "mini", "paper"), Recipe(epochs=1, batch_size=2, lr=1e-3))

    def longest(self):
        return 6

    def arrays(self, data_root):
        symbols = np.ones((4, 6), np.int16)
        symbols[1, 2] = 99
        labels = np.arange(4, dtype=np.int16) % 2
        return Arrays({"train_symbols": symbols, "train_labels": labels, "test_symbols": symbols, "test_labels": labels}, "made")
"""


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (POINTS, r"Points\.arrays\(\) gives nan in train_points, example 1, and should give finite numbers"),
        (
            SYMBOLS,
            r"Symbols\.arrays\(\) gives 99 in train_symbols, example 1, and should give whole numbers from 0 to 4",
        ),
    ],
    ids=["a point that is not a number", "a symbol outside the vocabulary"],
)
def test_wrong_values_of_inputs_are_refused(tmp_path: Path, source: str, message: str) -> None:
    assert_refused(tmp_path, message, lambda: run(tmp_path, source))


TASKS_THAT_GIVE_WRONG = {
    "arrays as a dict": (
        "def arrays(self, data_root):\n    return good()",
        r"Mine\.arrays\(\) gives a dict, and should give Arrays",
    ),
    "arrays as None": (
        "def arrays(self, data_root):\n    return None",
        r"Mine\.arrays\(\) gives None, and should give Arrays",
    ),
    "a fingerprint that is a number": (
        "def fingerprint(self, data_root):\n    return 7",
        r"Mine\.fingerprint\(\) gives 7",
    ),
    "an empty fingerprint": ("def fingerprint(self, data_root):\n    return ''", r"Mine\.fingerprint\(\) gives ''"),
    "a spec of None": ("def spec(self):\n    return None", r"Mine\.spec\(\) gives None, and should give a TaskSpec"),
    "a spec without classes": (
        "def spec(self):\n    return TaskSpec(modality='image', classes=1, max_tokens=4, token_dim=8)",
        r"classes = 1",
    ),
    "a spec with tokens of another width": (
        "def spec(self):\n    return TaskSpec(modality='image', classes=3, max_tokens=16, token_dim=9)",
        r"ImageTokenizer\.forward\(\) gives tokens 8×16×12, and the spec says B×16×9 at most",
    ),
    "too many tokens": (
        "def spec(self):\n    return TaskSpec(modality='image', classes=3, max_tokens=15, token_dim=12)",
        r"gives tokens 8×16×12, and the spec says B×15×12 at most",
    ),
    "a tokenizer of None": (
        "def tokenizer(self):\n    return None",
        r"Mine\.tokenizer\(\) gives None, and should give a torch\.nn\.Module",
    ),
    "a tokenizer that returns a tensor": (
        "def tokenizer(self):\n    import torch\n    class Bare(torch.nn.Module):\n        def forward(self, image):\n"
        "            return image.flatten(2)\n    return Bare()",
        r"Bare\.forward\(\) gives a tensor float32 8×1×64, and should give nacbench\.Tokens",
    ),
    "a build that returns None": (
        "def build(self, data_root, recipe):\n    return None",
        r"Mine\.build\(\) gives None, which has no spec",
    ),
    "a headline of text": (
        "def headline(self, metrics):\n    return {'accuracy': 'good'}",
        r"Mine\.headline\(\) gives 'accuracy': 'good' in metrics",
    ),
    "a headline that is not a number": (
        "def headline(self, metrics):\n    return {'accuracy': float('nan')}",
        r"'accuracy': nan in metrics",
    ),
    "a headline that is a number": (
        "def headline(self, metrics):\n    return 0.5",
        r"Mine\.headline\(\) gives 0\.5 as metrics",
    ),
    "a headline without the metric": (
        "def headline(self, metrics):\n    return {'f1': 1.0}",
        r"gives metrics f1, and lacks accuracy",
    ),
    "a headline of true": (
        "def headline(self, metrics):\n    return {'accuracy': True}",
        r"'accuracy': True in metrics",
    ),
}


@pytest.mark.parametrize("name", TASKS_THAT_GIVE_WRONG)
def test_a_task_that_gives_something_wrong_is_refused(tmp_path: Path, name: str) -> None:
    lines, message = TASKS_THAT_GIVE_WRONG[name]
    assert_refused(tmp_path, message, lambda: run(tmp_path, with_lines(TASK, lines)))


LIVE = """
class Live(Classification):
    def loss(self, net, batch):
        return {loss}

    def evaluate(self, net, split, batch_size):
        good = super().evaluate(net, split, batch_size)
        return {evaluation}
"""
BUILD = "def build(self, data_root, recipe):\n    live = super().build(data_root, recipe)\n    live.__class__ = Live\n    {more}\n    return live"
LIVE_THAT_GIVES_WRONG = {
    "a loss that is a number": ({"loss": "0.5"}, r"Live\.loss\(\) gives 0\.5, and should give a scalar tensor"),
    "a loss of None": ({"loss": "None"}, r"Live\.loss\(\) gives None"),
    "a loss per example": (
        {"loss": "net(**batch.inputs).sum(1)"},
        r"Live\.loss\(\) gives a tensor float32 8, and should",
    ),
    "a loss without a gradient": (
        {"loss": "net(**batch.inputs).sum().detach()"},
        r"Live\.loss\(\) gives a tensor without a gradient",
    ),
    "an evaluation of None": ({"evaluation": "None"}, r"Live\.evaluate\(\) on test gives None"),
    "an evaluation that is a dict": (
        {"evaluation": "good.metrics"},
        r"gives a dict, and should give nacbench\.Evaluation",
    ),
    "metrics that are a list": (
        {"evaluation": "Evaluation(metrics=[1], predictions=good.predictions)"},
        r"a list as metrics",
    ),
    "metrics without the main one": (
        {"evaluation": "Evaluation(metrics={'f1': 1.0}, predictions=good.predictions)"},
        r"and lacks accuracy",
    ),
    "a metric that is not a number": (
        {"evaluation": "Evaluation(metrics={'accuracy': float('nan')}, predictions=good.predictions)"},
        r"Live\.evaluate\(\) on test gives accuracy = nan in metrics",
    ),
    "no predictions": (
        {"evaluation": "Evaluation(metrics=good.metrics, predictions={})"},
        r"as predictions, and should map",
    ),
    "columns of different lengths": (
        {"evaluation": "Evaluation(metrics=good.metrics, predictions={**good.predictions, 'more': np.zeros(3)})"},
        r"gives 3 more in predictions, and the split has 9 examples",
    ),
    "details that JSON does not have": (
        {"evaluation": "Evaluation(metrics=good.metrics, predictions=good.predictions, details={'a': object()})"},
        r"gives details that JSON cannot hold",
    ),
    "sizes of splits as text": (
        {"more": "live.split_sizes = {'train': '24', 'test': 9}"},
        r"split 'train' has '24' examples",
    ),
    "no test split": ({"more": "live.split_sizes = {'train': 24}"}, r"has the splits train, and lacks test"),
    "notes that are one text": ({"more": "live.notes = 'note'"}, r"notes is 'note', and should be a list of sentences"),
}


@pytest.mark.parametrize("name", LIVE_THAT_GIVES_WRONG)
def test_a_live_task_that_gives_something_wrong_is_refused(tmp_path: Path, name: str) -> None:
    given, message = LIVE_THAT_GIVES_WRONG[name]
    parts = {"loss": "super().loss(net, batch)", "evaluation": "good", "more": "", **given}
    source = with_lines(TASK, BUILD.format(more=parts["more"])) + LIVE.format(**parts)
    assert_refused(tmp_path, message, lambda: run(tmp_path, source))
    assert list(tmp_path.rglob("failure.json"))


FORWARDS = {
    "a tuple": ("return self.logits(tokens.mean(1)), mask", r"Core\.forward\(\) gives a tuple, and should give logits"),
    "None": ("return None", r"Core\.forward\(\) gives None, and should give logits"),
    "logits per token": ("return self.logits(tokens)", r"gives a tensor float32 8×16×3, and should give logits.*: 8×3"),
    "a class too few": ("return self.logits(tokens.mean(1))[:, :2]", r"gives a tensor float32 8×2"),
    "predictions in place of logits": ("return self.logits(tokens.mean(1)).argmax(1)", r"gives a tensor int64 8,"),
    "fewer rows than examples": ("return self.logits(tokens.mean(1))[:1]", r"gives a tensor float32 1×3"),
    "an array": ("return self.logits(tokens.mean(1)).detach().numpy()", r"gives an array float32 8×3"),
}


@pytest.mark.parametrize("name", FORWARDS)
def test_a_network_that_returns_something_wrong_is_refused(tmp_path: Path, name: str) -> None:
    body, message = FORWARDS[name]
    model = MODEL.replace("return self.logits(tokens.mean(1))", body)
    assert_refused(tmp_path, message, lambda: run(tmp_path, model=model))
    assert list(tmp_path.rglob("failure.json"))


MODELS_THAT_GIVE_WRONG = {
    "a build of None": (
        "def build(self, spec):\n    return None",
        r"Mine\.build\(\) gives None, and should give a torch\.nn\.Module",
    ),
    "a reason that is a number": ("def unsupported(self, spec):\n    return 7", r"Mine\.unsupported\(\) gives 7"),
    "a reason that is true": ("def unsupported(self, spec):\n    return True", r"Mine\.unsupported\(\) gives True"),
}


@pytest.mark.parametrize("name", MODELS_THAT_GIVE_WRONG)
def test_a_model_that_gives_something_wrong_is_refused(tmp_path: Path, name: str) -> None:
    lines, message = MODELS_THAT_GIVE_WRONG[name]
    assert_refused(tmp_path, message, lambda: run(tmp_path, model=with_lines(MODEL, lines)))


RAISED = {
    "an error": ("raise KeyError('no such key')", r"KeyError: 'no such key' \(my_\w+\.py, line \d+\)"),
    "an error of the file system": ("open('/nowhere/at/all')", r"FileNotFoundError: .* \(my_\w+\.py, line \d+\)"),
    "a text of several lines": ("raise ValueError('one\\ntwo')", r"ValueError: one two \(my_\w+\.py, line \d+\)"),
    "StopIteration": ("next(iter([]))", r"StopIteration \(my_\w+\.py, line \d+\)"),
    "recursion without end": ("f = lambda: f(); f()", r"RecursionError: maximum recursion depth exceeded"),
    "an exit that looks like success": ("sys.exit(0)", r"the plug-in called exit\(0\) \(my_\w+\.py, line \d+\)"),
    "an exit without a code": ("raise SystemExit", r"the plug-in called exit\(\)"),
    "an exit with a text": ("sys.exit('bye')", r"the plug-in called exit\('bye'\)"),
    "an exception that is no error": ("raise GeneratorExit", r"GeneratorExit \(my_\w+\.py, line \d+\)"),
}
PLACES: dict[str, Callable[[str], dict[str, str]]] = {
    "build of the task": lambda do: {
        "task": with_lines(
            TASK, f"def build(self, data_root, recipe):\n    {do}\n    return super().build(data_root, recipe)"
        )
    },
    "headline": lambda do: {
        "task": with_lines(TASK, f"def headline(self, metrics):\n    {do}\n    return metrics['test']")
    },
    "build of the model": lambda do: {
        "model": with_lines(MODEL, f"def build(self, spec):\n    {do}\n    return Core(spec)")
    },
    "__init__ of the core": lambda do: {"model": MODEL.replace("super().__init__()", f"super().__init__(); {do}")},
    "forward": lambda do: {"model": MODEL.replace("return self.logits", f"{do}; return self.logits")},
    "forward in evaluation": lambda do: {
        "model": MODEL.replace(
            "        return self.logits", f"        if not self.training:\n            {do}\n        return self.logits"
        )
    },
}


@pytest.mark.parametrize("raised", RAISED)
@pytest.mark.parametrize("place", ["forward", "build of the task"])
def test_whatever_a_plug_in_raises_is_one_line_and_a_failure_file(tmp_path: Path, place: str, raised: str) -> None:
    do, message = RAISED[raised]
    assert_refused(tmp_path, message, lambda: run(tmp_path, **PLACES[place](do)), RunFailedError)
    (path,) = tmp_path.rglob("failure.json")
    assert "my_" in (read_failure(path).traceback or "")


@pytest.mark.parametrize("place", PLACES)
def test_an_exit_anywhere_in_a_run_is_a_failure(tmp_path: Path, place: str) -> None:
    message = r"called exit\(0\).*the traceback is in .*failure\.json|called exit\(0\)"
    assert_refused(tmp_path, message, lambda: run(tmp_path, **PLACES[place]("sys.exit(0)")), RunFailedError)
    assert list(tmp_path.rglob("failure.json"))


def test_ctrl_c_is_the_users(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, **PLACES["forward"]("raise KeyboardInterrupt"))
    assert not list(tmp_path.rglob("failure.json"))


# -- on the command line -----------------------------------------------------------------------------------------------

BEFORE_THERE_IS_AN_ID = {
    "import": ("sys.exit(0)\n" + TASK, r"cannot be loaded: NameError"),
    "exit at import": ("import sys\nsys.exit(0)\n" + TASK, r"cannot be loaded: SystemExit: 0"),
    "exit in fingerprint": (
        with_lines(TASK, "def fingerprint(self, data_root):\n    sys.exit(0)"),
        r"error: the plug-in called exit\(0\) \(my_task\.py, line \d+\)",
    ),
    "an error in spec": (
        with_lines(TASK, "def spec(self):\n    return 1 / 0"),
        r"error: ZeroDivisionError: division by zero",
    ),
    "an error in missing": (
        with_lines(TASK, "def prepare(self, data_root):\n    [][0]"),
        r"error: IndexError: .*my_task\.py",
    ),
}


def command(tmp_path: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "nacbench", *words],
        capture_output=True,
        text=True,
        timeout=100,
        cwd=tmp_path,
        check=False,
    )


@pytest.mark.parametrize("name", BEFORE_THERE_IS_AN_ID)
def test_a_plug_in_that_breaks_before_there_is_an_id_is_one_line(tmp_path: Path, name: str) -> None:
    source, message = BEFORE_THERE_IS_AN_ID[name]
    file = tmp_path / "my_task.py"
    file.write_text(source)
    done = command(
        tmp_path, "run", "--task", "my-task", "--model", "transformer", "--scale", "smoke", "--plugin", str(file)
    )
    assert done.returncode == 2, done.stdout
    assert re.search(message, done.stderr), done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr


def test_check_goes_on_after_an_exit_and_prints_the_traceback(tmp_path: Path) -> None:
    file = tmp_path / "my_model.py"
    file.write_text(PLACES["forward"]("sys.exit(0)")["model"])
    done = command(tmp_path, "check", "my-model", "--plugin", str(file))
    assert done.returncode == 1
    assert done.stdout.count("the plug-in called exit(0)") > 1
    assert "in forward" in done.stderr


def test_profile_says_an_exit_in_one_line(tmp_path: Path) -> None:
    file = tmp_path / "my_model.py"
    file.write_text(PLACES["forward"]("sys.exit(0)")["model"])
    done = command(
        tmp_path, "profile", "--task", "digits", "--model", "my-model", "--scale", "smoke", "--plugin", str(file)
    )
    assert done.returncode == 2
    assert "error: the plug-in called exit(0) (my_model.py, line " in done.stderr


# -- divergence --------------------------------------------------------------------------------------------------------

BREAKS = {
    "weights, by the last step": (
        {"model": MODEL + "\n    def __post_init__(self):\n        torch.manual_seed(0)\n"},
        {"training.lr": 1e30, "training.epochs": 1, "training.clip_norm": 0.0},
        r"the network has diverged",
    ),
    "logits, in evaluation only": (
        {
            "model": MODEL.replace(
                "        return self.logits(tokens.mean(1))",
                "        logits = self.logits(tokens.mean(1))\n        return logits if self.training else logits * float('nan')",
            )
        },
        {},
        r"the network has diverged: nll on test is nan; try a smaller training\.lr",
    ),
    "logits, that are infinite": (
        {
            "model": MODEL.replace(
                "        return self.logits(tokens.mean(1))",
                "        logits = self.logits(tokens.mean(1))\n        return logits if self.training else logits / 0",
            )
        },
        {},
        r"the network has diverged: nll on test is (nan|inf)",
    ),
    "logits, when the best weights are chosen": (
        {
            "model": MODEL.replace(
                "        return self.logits(tokens.mean(1))",
                "        logits = self.logits(tokens.mean(1))\n        return logits if self.training else logits * float('nan')",
            )
        },
        {"training.selection": "best-validation", "task.validation_examples": 6},
        r"the network has diverged: nll on validation is nan",
    ),
    "a weight that no loss shows": (
        {
            "model": MODEL.replace(
                "        return self.logits(tokens.mean(1))",
                "        with torch.no_grad():\n            self.unused.fill_(float('inf'))\n        return self.logits(tokens.mean(1))",
            ).replace(
                "        self.logits =", "        self.register_buffer('unused', torch.zeros(1))\n        self.logits ="
            )
        },
        {},
        r"the network has diverged: its trained weights are not all finite",
    ),
    "the loss": (
        {
            "model": MODEL.replace(
                "return self.logits(tokens.mean(1))", "return self.logits(tokens.mean(1)) * float('nan')"
            )
        },
        {},
        r"the network has diverged: the training loss is nan at step 1 of 3",
    ),
}


@pytest.mark.parametrize("what", BREAKS)
def test_divergence_is_called_divergence_whenever_it_happens(tmp_path: Path, what: str) -> None:
    sources, settings, message = BREAKS[what]
    assert_refused(tmp_path, message, lambda: run(tmp_path, **sources, **settings), DivergedError)
    (path,) = tmp_path.rglob("failure.json")
    assert read_failure(path).cause == "diverged"
