"""Plug-ins that give something wrong: one line that names it, a failure file, and no record."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from .foreign import MODEL, POINTS, SYMBOLS, TASK, assert_refused, forget, run, with_lines


@pytest.fixture(autouse=True)
def only_these_files() -> Iterator[None]:
    yield
    forget()


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


OTHER_TEST_IMAGES = """def forms(self):
    return dict.fromkeys(self.inputs)
def arrays(self, data_root):
    a = good()
    a['test_images'] = {}
    return Arrays(a, 'made')"""
OTHER_TARGETS = """def preparation(self, recipe, spec):
    own = super().preparation(recipe, spec)
    class Other:
        plain = staticmethod(own.plain)
        def train(self, inputs, labels):
            inputs, target = own.train(inputs, labels)
            return inputs, {}
    return Other()"""
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
    "a fingerprint that no record can hold": (
        "def fingerprint(self, data_root):\n    return 'a' * 201",
        r"Mine\.fingerprint\(\) gives 'a{50,}…, and should give text of 1 to 200 characters",
    ),
    "data files that are none": (
        "def data_files(self):\n    return 3",
        r"Mine\.data_files\(\) gives 3, and should give a list of DataFiles",
    ),
    "a modality that is a number": (
        "def spec(self):\n    return TaskSpec(modality=3, classes=3, max_tokens=16, token_dim=12)",
        r"Mine\.spec\(\) gives modality = 3, and should give text that is not empty",
    ),
    "a recipe that is none": (
        "recipes = {'smoke': 'three epochs'}",
        r"sets recipes = \{'smoke': 'three epochs'\}, which should be Mapping\[Scale, ImageRecipe\]",
    ),
    "a spec of None": ("def spec(self):\n    return None", r"Mine\.spec\(\) gives None, and should give a TaskSpec"),
    "a spec with a point's shape in place of a cloud's": (
        "def spec(self):\n    return TaskSpec(modality='points', classes=3, max_tokens=9, token_dim=2, point_shape=3)",
        r"point_shape = 3, and should give None or \(points, coordinates\)",
    ),
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
    "a spec with more classes than it declares": (
        "def spec(self):\n    return TaskSpec(modality='image', classes=4, max_tokens=16, token_dim=12)",
        r"Mine\.spec\(\) gives classes = 4, and Mine declares classes = 3",
    ),
    "names of two of three classes": (
        "class_names = ('a', 'b')",
        r"class Mine sets class_names = \('a', 'b'\), and should name each of its 3 classes once",
    ),
    "one name for two classes": ("class_names = ('a', 'b', 'a')", r"should name each of its 3 classes once"),
    "inputs that are one text": ("inputs = 'images'", r"sets inputs = 'images', and should set a tuple of names"),
    "test images of another shape": (
        OTHER_TEST_IMAGES.format("a['test_images'][..., :7]"),
        r"Mine\.arrays\(\) gives train_images of uint8, 24×1×8×8, but test_images of uint8, 9×1×8×7; a task",
    ),
    "test images of another type": (
        OTHER_TEST_IMAGES.format("a['test_images'] / 255"),
        r"gives train_images of uint8, 24×1×8×8, but test_images of float64, 9×1×8×8$",
    ),
    "targets beyond the classes": (
        OTHER_TARGETS.format("target + 5"),
        r"Other\.train\(\) gives the class [567] as a target, and should give classes from 0 to 2",
    ),
    "targets that are floats": (
        OTHER_TARGETS.format("target.float()"),
        r"gives a tensor float32 8 as targets, and should give class numbers \(int64\) B, or probabilities B×3",
    ),
    "targets of None": (OTHER_TARGETS.format("None"), r"gives None as targets"),
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
BUILD = """def build(self, data_root, recipe):
    live = super().build(data_root, recipe)
    live.__class__ = Live
    {more}
    return live"""
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
