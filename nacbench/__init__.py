"""nacbench: a benchmark suite for Neural Attentive Circuits (NAC) and baselines, across modalities.

This is the public API: names of ``from nacbench import …`` are documented, and stable within a minor version. Modules
below it are internal and may move. A name is imported when it is first used, so that ``import nacbench`` is fast and
does not need torch.
"""

TYPE_CHECKING = False  # type checkers take the name for typing.TYPE_CHECKING, which would be an import
if TYPE_CHECKING:
    from nacbench.api import compare, load, records, report, run
    from nacbench.contracts.metric import ACCURACY, NLL, Metric
    from nacbench.contracts.model import Model, Operations, Prunable, product
    from nacbench.contracts.numbers import Count
    from nacbench.contracts.plugin import Plugin
    from nacbench.contracts.protocol import Protocol
    from nacbench.contracts.recipe import Fraction, Origin, Positive, Recipe, Settings
    from nacbench.contracts.spec import Batch, TaskSpec, Tokens
    from nacbench.contracts.task import (
        SCALES,
        AnyTask,
        DataFiles,
        Evaluation,
        EvaluationTask,
        LiveTask,
        SameDataTask,
        ScoredTask,
        Task,
    )
    from nacbench.data.array_task import ArrayTask
    from nacbench.data.classification import classification_loss, classification_scores
    from nacbench.data.images.recipe import ImageAugment, ImageRecipe
    from nacbench.data.images.task import HubImageTask, ImageTask
    from nacbench.data.live import Classification, Preparation, Split, score
    from nacbench.data.metrics.classes import BALANCED_ACCURACY, CALIBRATION_ERROR, MACRO_F1, TOP_5
    from nacbench.data.metrics.labels import HAMMING_LOSS, MACRO_AP, SUBSET_ACCURACY
    from nacbench.data.metrics.values import MAE, R2, RMSE
    from nacbench.data.mirror.archive import ArchiveFiles
    from nacbench.data.mirror.cache import Arrays, cached_arrays, fingerprint
    from nacbench.data.mirror.data_files import LocalFiles
    from nacbench.data.mirror.hub import HubFiles
    from nacbench.data.points.recipe import PointAugment, PointRecipe
    from nacbench.data.points.task import PointTask
    from nacbench.data.raw import raw_numbers
    from nacbench.data.sentences.task import SentenceImageTask
    from nacbench.data.sequences.listops_task import ListOpsTask
    from nacbench.data.sequences.task import SequenceTask
    from nacbench.errors import UserError
    from nacbench.inspection.circuit_arrays import Attention, CircuitArrays
    from nacbench.inspection.loaded import LoadedRun
    from nacbench.inspection.predictions import Predictions
    from nacbench.inspection.trained import TrainedRun, load_smaller
    from nacbench.protocols.corrupted import CorruptedTask
    from nacbench.protocols.lowshot import LowShot, LowShotTask
    from nacbench.protocols.recipe import AdaptRecipe
    from nacbench.protocols.transfer import TransferTask
    from nacbench.recording.record import RunRecord
    from nacbench.registry import get_model, get_task
    from nacbench.reporting.comparison import Comparison
    from nacbench.running.outcome import Outcome
    from nacbench.seeds import seed_for
    from nacbench.training.interrupt import Interrupted

__version__ = "0.1.0"

# each public name and the module that defines it; a literal, since code digests read it without importing this file
_PUBLIC: dict[str, str] = {
    # run experiments, and read their results
    "run": "nacbench.api",
    "load": "nacbench.api",
    "records": "nacbench.api",
    "compare": "nacbench.api",
    "report": "nacbench.api",
    "Outcome": "nacbench.running.outcome",
    "RunRecord": "nacbench.recording.record",
    "Comparison": "nacbench.reporting.comparison",
    "LoadedRun": "nacbench.inspection.loaded",
    "Predictions": "nacbench.inspection.predictions",
    "CircuitArrays": "nacbench.inspection.circuit_arrays",
    "Attention": "nacbench.inspection.circuit_arrays",
    "TrainedRun": "nacbench.inspection.trained",
    "load_smaller": "nacbench.inspection.trained",
    "Interrupted": "nacbench.training.interrupt",
    # contracts of plug-ins, and what passes between task and model
    "Plugin": "nacbench.contracts.plugin",
    "AnyTask": "nacbench.contracts.task",
    "Task": "nacbench.contracts.task",
    "EvaluationTask": "nacbench.contracts.task",
    "SameDataTask": "nacbench.contracts.task",
    "Protocol": "nacbench.contracts.protocol",
    "DataFiles": "nacbench.contracts.task",
    "Model": "nacbench.contracts.model",
    "TaskSpec": "nacbench.contracts.spec",
    "Tokens": "nacbench.contracts.spec",
    "Batch": "nacbench.contracts.spec",
    "Operations": "nacbench.contracts.model",
    "product": "nacbench.contracts.model",
    "Prunable": "nacbench.contracts.model",
    "Evaluation": "nacbench.contracts.task",
    "ScoredTask": "nacbench.contracts.task",
    "LiveTask": "nacbench.contracts.task",
    "SCALES": "nacbench.contracts.task",
    "Settings": "nacbench.contracts.recipe",
    "Recipe": "nacbench.contracts.recipe",
    "Origin": "nacbench.contracts.recipe",
    "Count": "nacbench.contracts.numbers",
    "Positive": "nacbench.contracts.recipe",
    "Fraction": "nacbench.contracts.recipe",
    # metrics
    "Metric": "nacbench.contracts.metric",
    "ACCURACY": "nacbench.contracts.metric",
    "NLL": "nacbench.contracts.metric",
    "TOP_5": "nacbench.data.metrics.classes",
    "MACRO_F1": "nacbench.data.metrics.classes",
    "BALANCED_ACCURACY": "nacbench.data.metrics.classes",
    "CALIBRATION_ERROR": "nacbench.data.metrics.classes",
    "SUBSET_ACCURACY": "nacbench.data.metrics.labels",
    "HAMMING_LOSS": "nacbench.data.metrics.labels",
    "MACRO_AP": "nacbench.data.metrics.labels",
    "R2": "nacbench.data.metrics.values",
    "RMSE": "nacbench.data.metrics.values",
    "MAE": "nacbench.data.metrics.values",
    # base classes of tasks, with their recipes
    "ArrayTask": "nacbench.data.array_task",
    "ImageTask": "nacbench.data.images.task",
    "HubImageTask": "nacbench.data.images.task",
    "ImageRecipe": "nacbench.data.images.recipe",
    "ImageAugment": "nacbench.data.images.recipe",
    "PointTask": "nacbench.data.points.task",
    "PointRecipe": "nacbench.data.points.recipe",
    "PointAugment": "nacbench.data.points.recipe",
    "SequenceTask": "nacbench.data.sequences.task",
    "ListOpsTask": "nacbench.data.sequences.listops_task",
    "SentenceImageTask": "nacbench.data.sentences.task",
    "LowShotTask": "nacbench.protocols.lowshot",
    "TransferTask": "nacbench.protocols.transfer",
    "AdaptRecipe": "nacbench.protocols.recipe",
    "CorruptedTask": "nacbench.protocols.corrupted",
    # data: files, arrays, and from arrays to scores
    "HubFiles": "nacbench.data.mirror.hub",
    "ArchiveFiles": "nacbench.data.mirror.archive",
    "LocalFiles": "nacbench.data.mirror.data_files",
    "Arrays": "nacbench.data.mirror.cache",
    "cached_arrays": "nacbench.data.mirror.cache",
    "fingerprint": "nacbench.data.mirror.cache",
    "Preparation": "nacbench.data.live",
    "Classification": "nacbench.data.live",
    "Split": "nacbench.data.live",
    "score": "nacbench.data.live",
    "raw_numbers": "nacbench.data.raw",
    "LowShot": "nacbench.protocols.lowshot",
    "classification_loss": "nacbench.data.classification",
    "classification_scores": "nacbench.data.classification",
    # other helpers for plug-ins
    "get_task": "nacbench.registry",
    "get_model": "nacbench.registry",
    "seed_for": "nacbench.seeds",
    "UserError": "nacbench.errors",
}

__all__ = [
    "ACCURACY",
    "BALANCED_ACCURACY",
    "CALIBRATION_ERROR",
    "HAMMING_LOSS",
    "MACRO_AP",
    "MACRO_F1",
    "MAE",
    "NLL",
    "R2",
    "RMSE",
    "SCALES",
    "SUBSET_ACCURACY",
    "TOP_5",
    "AdaptRecipe",
    "AnyTask",
    "ArchiveFiles",
    "ArrayTask",
    "Arrays",
    "Attention",
    "Batch",
    "CircuitArrays",
    "Classification",
    "Comparison",
    "CorruptedTask",
    "Count",
    "DataFiles",
    "Evaluation",
    "EvaluationTask",
    "Fraction",
    "HubFiles",
    "HubImageTask",
    "ImageAugment",
    "ImageRecipe",
    "ImageTask",
    "Interrupted",
    "ListOpsTask",
    "LiveTask",
    "LoadedRun",
    "LocalFiles",
    "LowShot",
    "LowShotTask",
    "Metric",
    "Model",
    "Operations",
    "Origin",
    "Outcome",
    "Plugin",
    "PointAugment",
    "PointRecipe",
    "PointTask",
    "Positive",
    "Predictions",
    "Preparation",
    "Protocol",
    "Prunable",
    "Recipe",
    "RunRecord",
    "SameDataTask",
    "ScoredTask",
    "SentenceImageTask",
    "SequenceTask",
    "Settings",
    "Split",
    "Task",
    "TaskSpec",
    "Tokens",
    "TrainedRun",
    "TransferTask",
    "UserError",
    "__version__",
    "cached_arrays",
    "classification_loss",
    "classification_scores",
    "compare",
    "fingerprint",
    "get_model",
    "get_task",
    "load",
    "load_smaller",
    "product",
    "raw_numbers",
    "records",
    "report",
    "run",
    "score",
    "seed_for",
]


def __getattr__(name: str) -> object:
    """Import a public name when it is first used."""
    if name not in _PUBLIC:
        raise AttributeError(f"module 'nacbench' has no attribute {name!r}; dir(nacbench) lists its names")
    from importlib import import_module

    from nacbench.shadowing import guard_libraries

    guard_libraries()  # before the first import of a library
    value: object = getattr(import_module(_PUBLIC[name]), name)
    globals()[name] = value  # Python calls __getattr__ only for names that are not found
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_PUBLIC})
