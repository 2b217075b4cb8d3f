"""Example of a protocol: linear probing. A trained network is frozen, and logistic regression fits a new last layer.

As a plug-in, it makes a task ``X-linear-probing`` for every task ``X`` that trains on arrays of examples.
"""

from dataclasses import dataclass, field

from nacbench import SCALES, ArrayTask, Evaluation, Protocol, SameDataTask, Settings, UserError


@dataclass(frozen=True, kw_only=True)
class ProbingTask(SameDataTask):
    """Evaluation task: accuracy of a new last layer on the test examples of the task that trained the network.

    Attributes:
        strengths: inverse L2 penalties to try; the one with the best log-likelihood on validation examples is used. If
            the task has no validation split, a tenth of the training examples is held out.
    """

    protocol = "linear-probing"
    recipes = dict.fromkeys(SCALES, Settings(batch_size=128))

    strengths: tuple[float, ...] = (0.01, 0.1, 1.0, 10.0)

    def options(self):
        return {"strengths": list(self.strengths)}

    def build_on(self, trained, data_root, settings):
        recipe = trained.recipes["smoke"].model_copy(update={"selection": "last"})  # only its data is used here
        return Probing(self.strengths, trained.build(data_root, recipe))


@dataclass
class Probing:
    """Splits to score, and how to score them; implements `nacbench.ScoredTask`."""

    strengths: tuple[float, ...]
    live: object
    notes: list = field(default_factory=list)

    def __post_init__(self):
        self.spec, self.partial = self.live.spec, self.live.partial
        train, self.test = self.live.splits["train"], self.live.splits["test"]
        validation = self.live.splits.get("validation")
        self.train, self.choice = (train, validation) if validation else train.hold_out(len(train) // 10)
        self.split_sizes = {"test": len(self.test)}

    def evaluate(self, net, split, batch_size):
        import torch
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        from nacbench import classification_scores

        (x, y), choice, test = (self.features(net, part, batch_size) for part in (self.train, self.choice, self.test))

        def scored(strength, features, labels):
            layer = make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=1000)).fit(x, y)
            logits = torch.full((len(labels), self.spec.classes), -1e4)  # for classes without training examples
            logits[:, layer.classes_] = torch.from_numpy(layer.predict_log_proba(features)).float().clamp(min=-1e4)
            return classification_scores(logits, labels)

        tried = {strength: scored(strength, *choice).metrics["nll"] for strength in self.strengths}
        best = min(tried, key=tried.get)
        outcome = scored(best, *test)
        details = {"strength": best, "nll_on_choice": {f"{key:g}": nll for key, nll in tried.items()}}
        return Evaluation(metrics=outcome.metrics, predictions=outcome.predictions, details=details)

    def features(self, net, split, batch_size):
        """Return the inputs of the network's last layer, N×D, and the labels, N."""
        import torch

        from nacbench import score

        seen = []
        layer = net.get_submodule(net.head[0].rpartition(".")[0])
        handle = layer.register_forward_pre_hook(lambda layer, inputs: seen.append(inputs[0].float().cpu()))
        try:
            _, labels = score(net, split, self.live.preparation, batch_size)
        finally:
            handle.remove()
        return torch.cat(seen), labels


@dataclass(frozen=True, kw_only=True)
class LinearProbing(Protocol):
    title = "linear probing"

    def task_for(self, name, task):
        if not issubclass(task, ArrayTask):
            raise UserError(f"task {name!r} trains no network on arrays of examples, so it has no features to probe")
        return ProbingTask.of(name, task, self.title)
