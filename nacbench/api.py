"""Python API: run an experiment, load its network, read runs as a data frame, compare models, write a report.

Import these functions with ``from nacbench import run, load, records, compare, report``.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from nacbench.contracts.compiling import CompileChoice
    from nacbench.contracts.kernels import KernelSetting
    from nacbench.inspection.loaded import LoadedRun
    from nacbench.reporting.comparison import Comparison
    from nacbench.running.outcome import Outcome

PathLike = str | os.PathLike[str]


def run(
    task: str | Mapping[str, Any] | None = None,
    model: str | Mapping[str, Any] | None = None,
    *,
    scale: str | None = None,
    seed: int | None = None,
    precision: str | None = None,
    skip_unreadable: bool | None = None,
    config: PathLike | Sequence[PathLike] = (),
    init_from: PathLike | None = None,
    init_head: str | None = None,
    plugins: PathLike | Sequence[PathLike] = (),
    tags: str | Sequence[str] = (),
    notes: str | Sequence[str] = (),
    out: PathLike = "runs",
    data_root: PathLike | None = None,
    device: str = "auto",
    workers: int | None = None,
    threads: int | None = None,
    checkpoint_seconds: float = 60.0,
    cuda_graphs: bool = True,
    compile: CompileChoice | bool = "off",
    kernels: KernelSetting = "auto",
    force: bool = False,
    quiet: bool = False,
    log: str | Sequence[str] = (),
    **settings: Any,
) -> Outcome:
    """Train a model on a task and evaluate it, as ``nacbench run`` does. A finished run is not computed again.

    ``run("digits", "nac", scale="smoke", training={"lr": 3e-4})`` is the same as
    ``run("digits", "nac", scale="smoke", **{"training.lr": 3e-4})``.

    Args:
        task: name of the task, or a mapping with its ``name`` and options.
        model: name of the model, or a mapping with its ``name``, ``size`` and options.
        scale: ``smoke`` (seconds), ``mini`` (minutes on a CPU, the default) or ``paper`` (the longest schedule).
        seed: of weights, batches and noise; 0 by default.
        precision: ``auto`` (the default), ``fp32`` or ``bf16``.
        skip_unreadable: leave out examples whose files cannot be read; the record counts them, tables say "(part)".
        config: YAML file with any of these settings, or several: later ones override earlier ones, and arguments all.
        init_from: weights to begin training with: a folder of ``nacbench export --to hub-folder``, a ``.safetensors``
            file, a run's folder or id. All tensors must fit.
        init_head: ``keep`` (the default) takes the last layer of these weights, too; ``new`` draws it anew, as for
            another number of classes.
        plugins: Python files that define tasks, models or protocols.
        tags: words to find the run by, such as ``good``; not part of its id. They add to those that it has.
        notes: sentences on the run, one line each; not part of its id.
        out: folder of runs.
        data_root: mirror of data sets; None for ``NACBENCH_DATA`` or, if that is not set, a folder in the cache.
        device: ``auto``, ``cpu`` or ``cuda``.
        workers: processes that prepare batches; None for 0 on a CPU and up to 8 with a GPU.
        threads: threads to compute with; another number changes last digits. None for ``OMP_NUM_THREADS`` or, if that
            is not set, the cores that are granted.
        checkpoint_seconds: seconds between checkpoints.
        cuda_graphs: run steps as CUDA graphs, on one GPU, if the model allows it.
        compile: ``on`` (or true), ``off``, or ``auto``: use torch.compile where it pays by the run's length.
        kernels: ``auto``: nacbench's own kernels where they can be had; ``native``: those or an error; ``torch``:
            PyTorch's.
        force: compute a finished run again; the old one is moved into ``.replaced``.
        quiet: show no progress.
        log: trackers that are told of the run while it is computed: ``tensorboard``, ``trackio``, ``wandb`` or
            ``mlflow``; each writes into a folder of its name in the run's folder. See `nacbench.tracking.known`.
        settings: any other settings, nested or with dotted keys.

    Returns:
        The run's record and folder, and whether it was finished before.

    Raises:
        UserError: if a name or setting is unknown, a value is out of its range, or data is missing.
        Interrupted: if a signal stopped the run; the same call resumes it from its last checkpoint.
    """
    from nacbench.formats import arguments
    from nacbench.formats.dotted import nested
    from nacbench.formats.extending import Layer
    from nacbench.recording.tags import given as tags_given
    from nacbench.running.config_files import read_run_files
    from nacbench.running.initial import given_weights
    from nacbench.running.layers import run_layers
    from nacbench.running.resolve import refuse_given_twice

    weights = None if init_from is None else arguments.path("init_from", init_from)
    named = {"task": task, "model": model, "scale": scale, "seed": seed, "precision": precision}
    named["skip_unreadable"] = skip_unreadable
    named["init_from"] = given_weights(weights, init_head)
    given = {key: value for key, value in named.items() if value is not None}
    layers = [given, *(nested(key, value) for key, value in settings.items())]
    refuse_given_twice(layers)
    files = read_run_files(arguments.paths("config", config))
    return run_layers(
        [*files.layers, *(Layer("the call", layer) for layer in layers)],
        [*files.plugins, *arguments.paths("plugins", plugins)],
        tags=files.tags.also(tags_given(tags, notes)),
        out=arguments.folder_to_write("out", out),
        data_root=None if data_root is None else arguments.path("data_root", data_root),
        device=device,
        workers=workers,
        threads=threads,
        checkpoint_seconds=checkpoint_seconds,
        cuda_graphs=cuda_graphs,
        compile=compile,
        kernels=kernels,
        force=force,
        quiet=quiet,
        log=arguments.words("log", log),
    )


def load(
    run: PathLike | Outcome,
    *,
    out: PathLike = "runs",
    plugins: PathLike | Sequence[PathLike] = (),
    data_root: PathLike | None = None,
) -> LoadedRun:
    """Load the final network of a run, on the CPU in evaluation mode, to predict, score or look into it.

    Args:
        run: the run's folder, the first characters of its id, or what `run` has returned.
        out: folder of runs in which an id is looked up.
        plugins: Python files that define its task or model.
        data_root: mirror of data sets, as in `run`. Predictions for most tasks need no data.

    Raises:
        UserError: if there is no such finished run, several ids begin so, it was copied without weights, or it scored
            another run's network.
    """
    from nacbench.data.mirror.places import data_root_of
    from nacbench.errors import UserError
    from nacbench.formats import arguments
    from nacbench.inspection.loaded import load_for_use
    from nacbench.plugin_files import load_plugin_files
    from nacbench.recording.locate import locate

    load_plugin_files(arguments.paths("plugins", plugins))
    root = data_root_of(None if data_root is None else arguments.path("data_root", data_root))
    name = getattr(run, "folder", run)
    if not isinstance(name, str | os.PathLike):
        raise UserError(f"load takes a run's folder, its id, or what run has returned, not {type(name).__name__}")
    return load_for_use(locate(os.fspath(name), arguments.path("out", out)), root)


def records(*folders: PathLike) -> pd.DataFrame:
    """Read finished runs as a data frame: a row for each run, a column for each setting (``model.depth``) and metric
    (``test.nll``).

    The first columns are always there: ``run_id``, ``task``, ``model``, ``model_size``, ``scale``, ``seed``,
    ``precision``, ``protocol``, ``metric``, ``score`` … ``finished`` and ``folder``. Settings are ``task.…``,
    ``model.…`` and ``training.…``; metrics are ``<split>.<metric>``, in their own unit (a share of hits is in [0, 1]);
    measurements are ``measured.<split>.<name>``.

    Types of columns are ``Int64``, ``boolean``, ``string`` and ``float64``, whether or not all runs have the setting: a
    setting that a run does not have is a missing value. Options that take values of several kinds, and lists, are
    ``object``. ``scale`` is an ordered category, ``finished`` a time in UTC.

    Args:
        folders: folders of runs; ``runs`` by default.

    Raises:
        UserError: if a folder does not exist.
    """
    import pandas as pd

    from nacbench.formats import arguments
    from nacbench.recording.index import read_runs
    from nacbench.recording.table import rows_of, typed

    found = read_runs(*arguments.paths("folder", folders or ("runs",)))
    for line in found.broken:
        warnings.warn(line, stacklevel=2)
    return pd.DataFrame(typed(rows_of(found.runs)))


def compare(
    a: str,
    b: str,
    runs: PathLike | Sequence[PathLike] = "runs",
    *,
    task: str | None = None,
    metric: str | None = None,
    scale: str | None = None,
    models: str | Sequence[str] = (),
    where: str | Sequence[str] = (),
    choices: PathLike | Sequence[PathLike] = (),
    plugins: PathLike | Sequence[PathLike] = (),
) -> Comparison:
    """Compare two models, or two runs, on a task, as ``nacbench compare`` does: paired by seed, and on test examples.

    Args:
        a, b: a model's name, its label in a table such as ``nac, depth=4``, or the first characters of a run's id.
        runs: a folder of runs, or several.
        task: its name; needed only if both have runs of several.
        metric: another metric than the task's main one, such as ``nll``.
        scale: needed only if there are runs of several.
        models, where: only runs of these models, and that meet these conditions, such as ``training.lr<=0.001``.
        choices: files of ``nacbench tune --to``, which say how many settings were tried for each model.
        plugins: Python files that define the task, for a metric of its own.

    Returns:
        The comparison: ``difference`` with ``value`` (a − b), ``interval`` and ``p``; ``examples``; ``verdict``, the
        conclusion in words; ``to_frame()``, and as text (``print``) what the command prints. Differences are in the
        metric's own unit, so that 0.01 is one point of a share.

    Raises:
        UserError: if a folder does not exist, one of the two is not found or not unique, or they cannot be compared.
    """
    from nacbench.formats import arguments
    from nacbench.plugin_files import load_plugin_files
    from nacbench.recording.choice import Choice
    from nacbench.reporting.comparing import compare_in
    from nacbench.sweep.trials import known_choices

    load_plugin_files(arguments.paths("plugins", plugins))
    a, b = arguments.word("a", a), arguments.word("b", b)
    for name, given in (("task", task), ("metric", metric), ("scale", scale)):
        if given is not None:
            arguments.word(name, given)
    tasks = () if task is None else (task,)
    choice = Choice(tasks, arguments.words("models", models), arguments.words("where", where))
    tuned = known_choices(arguments.paths("choices", choices))
    stores = arguments.folders_of_runs("runs", runs)
    made = compare_in(stores, a, b, choice, metric=metric, scale=scale, tuned=tuned)
    for line in made.warnings:
        warnings.warn(line, stacklevel=2)
    return made


def report(
    runs: PathLike | Sequence[PathLike],
    out: PathLike = "report",
    *,
    html: bool = False,
    mixed: bool = False,
    tasks: str | Sequence[str] = (),
    models: str | Sequence[str] = (),
    where: str | Sequence[str] = (),
) -> list[Path]:
    """Write tables and figures of finished runs, as ``nacbench report`` does.

    Args:
        runs: a folder of runs, or several.
        out: folder to write to.
        html: also write ``index.html``: one page that needs no network.
        mixed: accept runs of a task that differ in code, data or scale, and show them together with a warning.
        tasks, models: only runs of these; names or patterns such as ``digits*``.
        where: only runs that meet these conditions, such as ``training.lr<=0.001``.

    Returns:
        The files that were written.

    Raises:
        UserError: if a folder does not exist, none has a finished run, none is chosen, or runs are mixed and ``mixed``
            is false.
    """
    from nacbench.formats import arguments
    from nacbench.recording.choice import Choice
    from nacbench.reporting.build import build_report

    arguments.check_flags(html=html, mixed=mixed)
    given = {"tasks": tasks, "models": models, "where": where}
    choice = Choice(*(arguments.words(name, own) for name, own in given.items()))
    stores, place = arguments.folders_of_runs("runs", runs), arguments.folder_to_write("out", out)
    built = build_report(stores, place, mixed=mixed, html=html, choice=choice)
    for line in built.warnings:
        warnings.warn(line, stacklevel=2)
    return list(built.files)
