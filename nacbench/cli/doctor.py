"""``nacbench doctor``: check libraries, CPU, GPU, data, disks and Slurm, with advice on problems."""

import os
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Literal

import typer

from nacbench.cli.shared.options import DataRoot, Json
from nacbench.cli.shared.refusals import standing
from nacbench.formats.terminal import say, say_json

NEEDED = ("torch", "torchvision", "accelerate", "datasets", "submitit", "torch-geometric", "perceiver-pytorch")


@dataclass(frozen=True)
class Finding:
    """Result of one check, with advice if it is a warning or an error."""

    subject: str
    level: Literal["ok", "warning", "error"]
    found: str
    advice: str = ""


def doctor(
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Where runs are kept.")] = Path("runs"),
    data_root: DataRoot = None,
    as_json: Json = False,
) -> None:
    """Check versions, CPU, GPU, data, disks and Slurm. The exit code is 1 if something would make runs fail."""
    findings: list[Finding] = []
    for check in _checks(out, data_root):
        for finding in check():
            findings.append(finding)
            if not as_json:
                advice = [f"{'':>9}{finding.advice}"] if finding.advice else []
                say(f"{finding.level:<8} {finding.subject}: {finding.found}", *advice)
    if as_json:
        say_json([asdict(finding) for finding in findings])
    if any(finding.level == "error" for finding in findings):
        raise typer.Exit(1)


def _checks(out: Path, data_root: Path | None) -> list[Callable[[], Iterator[Finding]]]:
    own = [_versions, _processor, _environment, _graphics, _kernels]
    return [*own, lambda: _data(data_root), lambda: _disk(out), lambda: _store(out), _slurm]


def _versions() -> Iterator[Finding]:
    from nacbench.machine.software import library_versions, python_and_platform

    versions = library_versions()
    python, system = python_and_platform()
    yield Finding("nacbench", "ok", f"{versions['nacbench']}, Python {python}, {system}")
    missing = [name for name in NEEDED if name not in {**versions, **_installed(NEEDED)}]
    if missing:
        yield Finding("libraries", "error", f"missing: {', '.join(missing)}", "pip install nacbench installs them")
    else:
        yield Finding("libraries", "ok", ", ".join(f"{n} {v}" for n, v in _installed(NEEDED).items()))


def _installed(names: tuple[str, ...]) -> dict[str, str]:
    from importlib.metadata import PackageNotFoundError, version

    found = {}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _processor() -> Iterator[Finding]:
    from nacbench.machine.cores import granted_cores
    from nacbench.machine.hardware import cpu_flags, cpu_name, instructions

    cores = f"{granted_cores()} of {os.cpu_count()} cores granted"
    fast = instructions() or "no AVX2 or AVX-512 found"
    yield Finding("CPU", "ok", f"{cpu_name()}, {cores}, {fast}")
    if cpu_flags() & {"avx512_bf16", "amx_bf16", "bf16"}:
        yield Finding("bf16 on the CPU", "ok", "native; --precision auto uses it")
    else:
        yield Finding("bf16 on the CPU", "warning", "not native", "--precision auto uses fp32 here")


def _environment() -> Iterator[Finding]:
    from nacbench.errors import UserError
    from nacbench.machine.cores import default_threads
    from nacbench.machine.launcher import check_launch
    from nacbench.machine.settings import recorded, refused

    try:
        yield Finding("threads", "ok", f"{default_threads()} by default; choose with --threads")
        processes = check_launch()
        yield Finding("processes", "ok", f"{processes}, by what a launcher has set" if processes > 1 else "one")
    except UserError as error:
        yield Finding("environment", "error", str(error))
    for line in refused():
        yield Finding("environment", "error", line)
    found = ", ".join(f"{name}={value}" for name, value in recorded().items())
    if found:
        yield Finding("environment", "warning", found, "these can change last digits; they are put into the record")


def _graphics() -> Iterator[Finding]:
    from nacbench.machine.hardware import has_gpu

    if not has_gpu():
        there = Path("/dev/nvidiactl").exists()  # the NVIDIA driver is loaded, so torch may be a build without CUDA
        advice = "torch does not find it: check nvidia-smi, and that torch is a CUDA build" if there else ""
        yield Finding(
            "GPU", "warning" if there else "ok", "NVIDIA driver found, but no device" if there else "none", advice
        )
        return
    import torch

    for index in range(torch.cuda.device_count()):
        about = torch.cuda.get_device_properties(index)
        bf16 = about.major >= 8
        text = f"{about.name}, {about.total_memory / 2**30:.0f} GiB, CUDA {torch.version.cuda}"
        advice = "" if bf16 else "no native bf16: --precision auto uses fp32"
        yield Finding(f"GPU {index}", "ok" if bf16 else "warning", text, advice)


def _kernels() -> Iterator[Finding]:
    """Build nacbench's kernels, if that has not been done, and say whose a run with --kernels auto computes with."""
    from nacbench.kernels.path import NAMES, why_not
    from nacbench.machine.hardware import has_gpu

    for device in ("cpu", "cuda") if has_gpu() else ("cpu",):
        subject = "kernels" if device == "cpu" else "kernels on the GPU"
        reason = why_not(device, lambda text: None)
        if reason is None:
            yield Finding(subject, "ok", f"nacbench's own, in {NAMES[device]}; --kernels torch computes without them")
        else:
            advice = "install g++ or clang: NAC's steps are shorter then" if device == "cpu" else ""
            yield Finding(subject, "warning", f"PyTorch's; nacbench's own cannot be had: {reason}", advice)


def _data(named: Path | None) -> Iterator[Finding]:
    from nacbench.cli.shared.needs import made_task
    from nacbench.data.mirror.places import data_root_of
    from nacbench.errors import UserError
    from nacbench.registry import TASKS

    try:
        data_root = data_root_of(named)
    except UserError as error:  # as every command that reads data refuses it
        yield Finding("data", "error", str(error), "name a folder that exists with --data-root or NACBENCH_DATA")
        return
    ready: list[str] = []
    missing: list[str] = []
    for name in TASKS.entries():
        try:
            (missing if made_task(name).missing(data_root) else ready).append(name)
        except UserError as error:
            yield Finding(f"task {name}", "error", str(error))
    yield Finding("data", "ok", f"{data_root}: {len(ready)} of {len(ready) + len(missing)} tasks are ready")
    if missing:
        yield Finding("no data for", "warning", ", ".join(missing), "nacbench data where TASK says how to get it")


def _disk(out: Path) -> Iterator[Finding]:
    import shutil

    from nacbench.data.mirror.places import cache_folder
    from nacbench.filesystem.files import resolved

    for subject, folder, way_out in (
        ("disk for runs", out, "name another folder with --out"),
        ("disk for the cache", cache_folder(), "name another folder with NACBENCH_CACHE"),
    ):
        place = standing(resolved(folder))
        refused = _refused(place)
        if refused:
            yield Finding(subject, "error", f"cannot write in {place}: {refused}", way_out)
            continue
        free = shutil.disk_usage(place).free / 1e9
        level: Literal["ok", "warning"] = "ok" if free > 10 else "warning"
        advice = f"make room, or {way_out}" if level == "warning" else ""
        yield Finding(subject, level, f"{free:,.0f} GB free in {place}", advice)


def _refused(folder: Path) -> str | None:
    """Return why the folder is not writable, or None.

    It writes a temporary file, as permissions alone do not show quotas and read-only mounts.
    """
    from tempfile import TemporaryFile

    try:
        with TemporaryFile(dir=folder) as stream:
            stream.write(b"nacbench")
    except OSError as error:
        return error.strerror
    return None


def _store(out: Path) -> Iterator[Finding]:
    """Try what claims and whole files are made with, in the folder of runs or the nearest one above it."""
    place = standing(out.resolve())
    if not place.is_dir() or not os.access(place, os.W_OK):
        return  # `_disk` says so
    lacking = _lacking(place)
    if isinstance(lacking, str):
        yield Finding("folder of runs", "error", f"{place}: {lacking}", "runs cannot be kept there; name another one")
    elif lacking:
        for what, meaning in lacking.items():
            yield Finding("folder of runs", "warning", f"{place}: its file system has no {what}", meaning)
    else:
        yield Finding("folder of runs", "ok", f"{place}: locks, hard links, renaming and flushing work")


def _lacking(place: Path) -> dict[str, str] | str:
    """Return what a file system lacks, each with what that means; or, as text, why no run can be kept in the folder."""
    from nacbench.filesystem.files import NO_FSYNC
    from nacbench.filesystem.locking import try_lock
    from nacbench.filesystem.scratch import scratch_folder

    found = {}
    try:
        with scratch_folder(place / "doctor") as aside, (aside / "first").open("wb") as stream:
            stream.write(b"nacbench")
            stream.flush()
            if try_lock(stream.fileno()) is None:
                found["locks (flock)"] = (
                    "claims on runs go by process numbers on this machine and by heartbeats on others: what a dead "
                    "process of another machine has left is started again after 5 minutes"
                )
            try:
                os.link(aside / "first", aside / "second")
            except OSError:
                found["hard links"] = (
                    "names are taken by empty files that are replaced: after a crash in that moment a claim of nobody "
                    "holds a run for 5 minutes"
                )
            for flushed in (aside / "first", aside):
                descriptor = os.open(flushed, os.O_RDONLY)
                try:
                    os.fsync(descriptor)
                except OSError as error:
                    if error.errno not in NO_FSYNC:
                        raise
                    what = "fsync" if flushed.is_file() else "fsync of folders"
                    found[what] = "after a power failure the last files may be missing or empty; submit again then"
                finally:
                    os.close(descriptor)
            (aside / "first").replace(aside / "third")
    except OSError as error:
        return f"{error.strerror} ({Path(error.filename).name if error.filename else 'a file'})"
    return found


def _slurm() -> Iterator[Finding]:
    from nacbench.machine import slurm

    if not slurm.is_available():
        yield Finding("Slurm", "ok", "not on this machine; sweeps run in local processes")
        return
    try:
        settings = slurm.settings()
        partitions = slurm.ask(["sinfo", "--noheader", "--format=%P %D nodes, limit %l, %c CPUs, %m MB, %G"])
    except (slurm.SlurmSilentError, slurm.SlurmRefusedError) as error:
        yield Finding(
            "Slurm", "warning", str(error), "the controller does not answer; ask the cluster's administrators"
        )
        return
    yield Finding("Slurm", "ok", f"{settings.get('SLURM_VERSION', '?')}, cluster {settings.get('ClusterName', '?')}")
    for line in partitions.splitlines():
        yield Finding("partition", "ok", line.strip())
    yield Finding(
        "array size",
        "ok",
        f"MaxArraySize {settings.get('MaxArraySize', '?')}; larger sweeps are split into several arrays",
    )
    if "none" in settings.get("AccountingStorageType", "none"):
        advice = "states come from files and the queue; out of memory and timeout look like other failures"
        yield Finding("accounting", "warning", "none", advice)
    else:
        yield Finding("accounting", "ok", settings["AccountingStorageType"])
    yield from _preemption(settings)


def _preemption(settings: dict[str, str]) -> Iterator[Finding]:
    if settings.get("PreemptType", "preempt/none").endswith("none"):
        yield Finding("preemption", "ok", "off")
    elif "preempt_send_user_signal" in settings.get("SlurmctldParameters", ""):
        yield Finding("preemption", "ok", "jobs get a signal, save a checkpoint, and are requeued")
    else:
        advice = "runs resume from their last checkpoint: set a small checkpoint_seconds in the profile"
        yield Finding("preemption", "warning", "without a signal before it that jobs can act on", advice)
    if settings.get("JobRequeue") == "0":
        advice = "set requeue: true in the profile, or submit the sweep again after a node has failed"
        yield Finding("requeueing", "warning", "off by default", advice)
