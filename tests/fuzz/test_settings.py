"""Fuzzing of settings: ``--set``, configuration files, sweep files, profiles and choices."""

from pathlib import Path

from hypothesis import strategies as st

from nacbench.running.config_files import read_run_files
from nacbench.running.resolve import parse_setting, read_yaml, resolve
from nacbench.sweep.content import read_choices
from nacbench.sweep.profile import Profile
from nacbench.sweep.read_sweep import read_sweep

from .damage import damaged
from .guard import fuzz, of_file, read_or_refused

COMMON = {"model": "nac", "scale": "smoke", "precision": "fp32"}
RUNS = [resolve({"task": task, **COMMON}).as_yaml().encode() for task in ("digits", "lowshot-omniglot")]
SWEEP = b"""
name: mine
profile: {partition: gpu, time: '1:30:00', cpus: 4, memory_gb: 8, gpus: 1, extra: {nice: 5}, setup: [module load x]}
tasks: [digits, listops-short]
models: [nac, vit]
seeds: 0..2
scale: smoke
axes: {training.lr: [1.0e-3, 3e-4]}
zip: {training.weight_decay: [0.1, 0.2], training.batch_size: [16, 32]}
tags: [tuned]
set: {training.epochs: 1}
exclude: [{task: listops-short, model: vit}]
resources: [{when: {model: nac}, use: {cpus: 2}}]
choices: [{when: {task: digits}, use: {training.lr: 1e-3}}]
"""
HEAD = b"""
extends: [base.yaml]
tags: [good, v1]
notes: A note
plugins: [own.py]
"""
CHOICES = b"""
choices:
- when: {task: digits, model: nac}
  use: {training.lr: 0.001}
  evidence: {'0.001': 0.5}
"""


KEYS = st.sampled_from(("training.lr", "training.epochs", "seed", "task.patch", "model.depth", "scale", "training", ""))


@fuzz(
    key=KEYS, value=damaged([b"3e-4", b"[1, 2]", b"{lr: 1e-3}", b"true", b"2001-99-99"]), equals=st.sampled_from("= :")
)
def test_settings_of_the_command_line(key: str, value: bytes, equals: str, place: Path) -> None:
    text = f"{key}{equals}{value.decode(errors='replace')}"
    read_or_refused(lambda: resolve({"task": "digits", "model": "nac", "scale": "smoke"}, parse_setting(text)), place)


@fuzz(content=damaged(RUNS))
def test_configuration_files(content: bytes, place: Path) -> None:
    of_file("run.yaml", lambda file: resolve(read_yaml(file)))(content, place)


@fuzz(content=damaged([HEAD + RUNS[0]]))
def test_configuration_files_with_what_they_extend(content: bytes, place: Path) -> None:
    (place / "base.yaml").write_text("seed: 1\ntraining: {lr: 1e-3}\ntags: base\n")

    def read(file: Path) -> None:
        files = read_run_files([file])
        resolve(*(layer.settings for layer in files.layers))

    of_file("run.yaml", read)(content, place)


@fuzz(content=damaged([SWEEP]))
def test_sweep_files(content: bytes, place: Path) -> None:
    def read(file: Path) -> None:
        sweep = read_sweep(str(file))
        if sum(block.count() for block in sweep.blocks) <= 20:  # a sweep may be larger than a second allows
            sweep.expand()

    of_file("sweep.yaml", read)(content, place)


@fuzz(content=damaged([CHOICES]))
def test_choices(content: bytes, place: Path) -> None:
    of_file("choices.yaml", read_choices)(content, place)


PROFILE = b"""
executor: slurm
partition: gpu
time: 1-12:00:00
cpus: 4
memory_gb: 8
extra: {nice: 5}
setup: [module load x]
"""


@fuzz(content=damaged([PROFILE, b"time: 90min", b"time: 1:30"]))
def test_profiles(content: bytes, place: Path) -> None:
    of_file("profile.yaml", lambda file: Profile.read(str(file)))(content, place)
