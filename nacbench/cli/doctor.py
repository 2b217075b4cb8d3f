"""``nacbench doctor``: what this machine and its cluster can do, and what to do about what they cannot."""

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Literal

import typer

from nacbench.cli.shared.options import DataRoot, Json
from nacbench.cli.shared.refusals import standing

NEEDED = ("torch", "torchvision", "accelerate", "datasets", "submitit", "torch-geometric", "perceiver-pytorch")


@dataclass(frozen=True)
class Finding:
    """One line: what was looked at, how it is, what was found, and what to do if it is not well."""

    subject: str
    level: Literal["ok", "warning", "error"]
    found: str
    advice: str = ""


def doctor(
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Where runs are, or will be, kept.")] = Path("runs"),
    data_root: DataRoot = None,
    as_json: Json = False,
) -> None:
    """Look at versions, CPU, GPU, data, disk and Slurm; exit with 1 if something would stop a run."""
    from nacbench.data.mirror.places import default_data_root

    findings: list[Finding] = []
    for check in _checks(out, data_root or default_data_root()):
        for finding in check():
            findings.append(finding)
            if not as_json:
                advice = f"\n{'':>9}{finding.advice}" if finding.advice else ""
                typer.echo(f"{finding.level:<8} {finding.subject}: {finding.found}{advice}")
    if as_json:
        typer.echo(json.dumps([asdict(finding) for finding in findings], indent=2))
    if any(finding.level == "error" for finding in findings):
        raise typer.Exit(1)


def _checks(out: Path, data_root: Path) -> list[Callable[[], Iterator[Finding]]]:
    return [_versions, _processor, _graphics, lambda: _data(data_root), lambda: _disk(out), _slurm]


def _versions() -> Iterator[Finding]:
    from nacbench.machine.software import library_versions, python_and_platform

    versions = library_versions()
    python, system = python_and_platform()
    yield Finding("nacbench", "ok", f"{versions['nacbench']}, Python {python}, {system}")
    missing = [name for name in NEEDED if name not in {**versions, **_installed(NEEDED)}]
    if missing:
        yield Finding("libraries", "error", f"missing: {', '.join(missing)}", "pip install nacbench brings them")
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
    import os

    from nacbench.machine.hardware import cpu_flags, cpu_name

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    flags = cpu_flags()
    fast = [name for name in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if name in flags]
    yield Finding("CPU", "ok", f"{cpu_name()}, {cores} cores, {', '.join(fast) or 'no wide vectors known'}")
    if flags & {"avx512_bf16", "amx_bf16", "bf16"}:
        yield Finding("bf16 on the CPU", "ok", "multiplied natively; --precision auto takes it")
    else:
        yield Finding("bf16 on the CPU", "warning", "not native", "--precision auto takes fp32 here")


def _graphics() -> Iterator[Finding]:
    from nacbench.machine.hardware import has_gpu

    if not has_gpu():
        there = Path("/dev/nvidiactl").exists()
        advice = "torch does not find it: check nvidia-smi, and that torch is a CUDA build" if there else ""
        yield Finding("GPU", "warning" if there else "ok", "a driver but no device" if there else "none", advice)
        return
    import torch

    for index in range(torch.cuda.device_count()):
        about = torch.cuda.get_device_properties(index)
        bf16 = about.major >= 8
        text = f"{about.name}, {about.total_memory / 2**30:.0f} GiB, CUDA {torch.version.cuda}"
        advice = "" if bf16 else "it has no native bf16: --precision auto takes fp32"
        yield Finding(f"GPU {index}", "ok" if bf16 else "warning", text, advice)


def _data(data_root: Path) -> Iterator[Finding]:
    from nacbench.cli.shared.needs import made_task
    from nacbench.errors import UserError
    from nacbench.registry import TASKS

    ready: list[str] = []
    missing: list[str] = []
    for name in TASKS.entries():
        try:
            (missing if made_task(name).missing(data_root) else ready).append(name)
        except UserError as error:
            yield Finding(f"task {name}", "error", str(error))
    yield Finding("data", "ok", f"{data_root}: {len(ready)} of {len(ready) + len(missing)} tasks are ready")
    if missing:
        yield Finding("no data for", "warning", ", ".join(missing), "nacbench data where TASK says what would bring it")


def _disk(out: Path) -> Iterator[Finding]:
    import shutil

    from nacbench.data.mirror.places import cache_folder

    for subject, folder, way_out in (
        ("disk for runs", out, "name another folder with --out"),
        ("disk for the cache", cache_folder(), "name another folder with NACBENCH_CACHE"),
    ):
        place = standing(folder.resolve())
        refused = _refused(place)
        if refused:
            yield Finding(subject, "error", f"cannot write in {place}: {refused}", way_out)
            continue
        free = shutil.disk_usage(place).free / 1e9
        level: Literal["ok", "warning"] = "ok" if free > 10 else "warning"
        advice = f"make room, or {way_out}" if level == "warning" else ""
        yield Finding(subject, level, f"{free:,.0f} GB free in {place}", advice)


def _refused(folder: Path) -> str | None:
    """Why nothing can be written there; found by writing, as rights alone do not tell of quotas and read-only disks."""
    from tempfile import TemporaryFile

    try:
        with TemporaryFile(dir=folder) as stream:
            stream.write(b"nacbench")
    except OSError as error:
        return error.strerror
    return None


def _slurm() -> Iterator[Finding]:
    from nacbench.machine import slurm

    if not slurm.is_available():
        yield Finding("Slurm", "ok", "none on this machine; sweeps run in processes of it")
        return
    try:
        settings = slurm.settings()
        partitions = slurm.ask(["sinfo", "--noheader", "--format=%P %D nodes, limit %l, %c CPUs, %m MB, %G"])
    except (slurm.SlurmSilentError, slurm.SlurmRefusedError) as error:
        yield Finding("Slurm", "warning", str(error), "the controller does not answer; ask those who run it")
        return
    yield Finding("Slurm", "ok", f"{settings.get('SLURM_VERSION', '?')}, cluster {settings.get('ClusterName', '?')}")
    for line in partitions.splitlines():
        yield Finding("partition", "ok", line.strip())
    yield Finding("array size", "ok", f"MaxArraySize {settings.get('MaxArraySize', '?')}; larger sweeps are cut to it")
    if "none" in settings.get("AccountingStorageType", "none"):
        advice = "states come from files and the queue; out of memory and time limits cannot be told from other ends"
        yield Finding("accounting", "warning", "none", advice)
    else:
        yield Finding("accounting", "ok", settings["AccountingStorageType"])
    yield from _preemption(settings)


def _preemption(settings: dict[str, str]) -> Iterator[Finding]:
    if settings.get("PreemptType", "preempt/none").endswith("none"):
        yield Finding("preemption", "ok", "off")
    elif "preempt_send_user_signal" in settings.get("SlurmctldParameters", ""):
        yield Finding("preemption", "ok", "jobs are warned, save themselves, and are put back")
    else:
        advice = "runs go on from their last checkpoint: keep checkpoint_seconds of the profile small"
        yield Finding("preemption", "warning", "without a warning that jobs can act upon", advice)
    if settings.get("JobRequeue") == "0":
        advice = "requeue: true in the profile asks for it; else submit again after a node's failure"
        yield Finding("requeueing", "warning", "off by default", advice)
