"""``torch.compile``: the same draws as without, code kept in the cache, and ``auto``: compile where it pays.

Whether it pays depends on the run's own length and on the network: compiling takes a minute or two once on a machine
(then seconds, as the code is kept), and compiled steps take 0.5 to 1.05 of the time (docs/speed.md). So ``auto`` asks
first whether the rest of the run is long enough for any network to win, and only then compiles a copy of this one and
times it.
"""

import copy
import json
import os
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch._functorch.config
from pydantic import BaseModel, ConfigDict, PositiveFloat
from torch import Tensor, nn

from nacbench.code_digest import code_digest, engine_files, files_of, imported_by, short_digest
from nacbench.contracts.spec import Batch
from nacbench.data.mirror.places import cache_folder
from nacbench.errors import UserError, told
from nacbench.filesystem.files import write_json
from nacbench.formats.reading import read_json
from nacbench.formats.text import duration
from nacbench.nn.cuda_graphs import WARM_UP, GraphedPass

COLD, WARM = 100.0, 12.0  # seconds of compiling without and with the code of an earlier time (docs/speed.md)
MOST_SAVED = 0.5  # more than the largest share of a pass's time that compiling has saved (docs/speed.md)
CODE = "TORCHINDUCTOR_CACHE_DIR"
PASSES = 3  # of which the fastest counts


def compiled(net: Callable[..., Any]) -> Callable[..., Any]:
    """Return a network that goes through ``torch.compile``, and draws the random numbers that it draws without.

    The compiler's own generator would draw other links, and other paths to drop, under the same seed.
    """
    _keep_code()
    # torch 2.14's compiler warns of its own use of its own functions
    warnings.filterwarnings("ignore", category=FutureWarning, module=r"torch\._inductor\.")
    # Else torch 2.14 traces a network with an autograd function of its own, as the image tokenizer has, at every start,
    # though its key covers both passes of the function. It is no public setting: another version may not have it
    if hasattr(torch._functorch.config, "autograd_cache_allow_custom_autograd_functions"):
        torch._functorch.config.autograd_cache_allow_custom_autograd_functions = True
    options: dict[str, str | int | bool | Callable[..., Any]] = {"fallback_random": True}
    return torch.compile(net, options=options)


def _keep_code() -> None:
    """Let the compiler keep its code, and Triton's, in the cache folder, unless the user has named another one.

    Processes share it: torch 2.14 writes each entry whole.
    """
    named = os.environ.get(CODE)
    # torch 2.14 sets the variable to its default, torchinductor_USER in the folder of temporary files, when torchvision
    # is imported
    if named is None or Path(named).name.startswith("torchinductor_"):
        os.environ[CODE] = str(cache_folder().absolute() / "compiled" / "code")


class Ratio(BaseModel):
    """What an earlier run on this machine has found: time of a compiled pass over that of an eager one."""

    model_config = ConfigDict(frozen=True)

    ratio: PositiveFloat


@dataclass(frozen=True, kw_only=True)
class Trial:
    """How ``auto`` finds out whether compiling pays.

    Attributes:
        net: the network; a copy of it makes the passes, so that nothing of it changes.
        loss_of: returns the loss of a copy, eager or compiled, on a batch, a scalar.
        batch: as large as that of one pass in training, on the device.
        graphs: make passes as CUDA graphs.
        passes: forward and backward passes that are left to make.
        about: what the time depends on besides the network and its code: device, precision, threads.
    """

    net: nn.Module
    loss_of: Callable[[Callable[..., Any], Batch], Tensor]
    batch: Batch
    graphs: bool
    passes: int
    about: tuple[str, ...]

    def decide(self, say: Callable[[str], None]) -> bool:
        """Return whether to compile, and say in one line why."""
        try:
            pays, why = self._decide(say)
        except Exception as error:  # the compiler, and what it calls, can raise anything; eager steps need neither
            pays, why = False, f"it cannot be compiled here ({told(error):.200})"
        say(f"compile auto: {'compiled' if pays else 'not compiled'}: {why}")
        return pays

    def _decide(self, say: Callable[[str], None]) -> tuple[bool, str]:
        twin = copy.deepcopy(self.net).train()
        eager = self._seconds(twin, twin)
        note = self._note()
        known = _known(note)
        cost, saved = (COLD, MOST_SAVED) if known is None else (WARM, 1 - known)
        left = f"{self.passes:,} passes of {1e3 * eager:,.0f} ms"
        if saved <= 0:
            return False, f"a compiled pass took {known:.2f} of an eager one's time in an earlier run"
        most = self.passes * eager * saved
        if most <= cost:
            return False, f"it would save {duration(most)} at most of {left}, and take {duration(cost)}"
        say(f"compile auto: compiling a copy of the network to time it, about {duration(cost)}")
        ratio = self._seconds(compiled(twin), twin) / eager
        write_json(note, {"ratio": ratio})
        found = f"a compiled pass takes {ratio:.2f} of an eager one's time"
        saving = f", which saves {duration(self.passes * eager * (1 - ratio))} of {left}"
        return ratio < 1, found + (saving if ratio < 1 else "")

    def _seconds(self, forward: Callable[..., Any], twin: nn.Module) -> float:
        """Return the seconds of the fastest of a few passes, after those that compile, warm up and capture."""

        def gradients(batch: Batch) -> Tensor:
            loss = self.loss_of(forward, batch)
            loss.backward()
            return loss.detach()

        graphed = GraphedPass(gradients, list(twin.parameters()), lambda text: None) if self.graphs else None
        # Other processes lengthen a pass on a CPU, but not this thread's share of it, and the ratio is kept
        clock = time.thread_time if self.batch.target.device.type == "cpu" else time.perf_counter
        times = []
        for _ in range(PASSES + (WARM_UP + 1 if graphed else 1)):
            begun = clock()
            (graphed(self.batch, 0) if graphed else gradients(self.batch)).item()  # waits for the device
            times.append(clock() - begun)
            twin.zero_grad()
        return min(times[-PASSES:])

    def _note(self) -> Path:
        """Return the file that keeps the ratio of this network, code and machine, beside the compiler's own."""
        modules = {type(module).__module__ for module in self.net.modules()}
        own = [file for name in sorted(modules) for file in files_of(name)]
        code = code_digest({*engine_files(), *own, *imported_by(own)})
        inputs = sorted(self.batch.inputs.items())
        shapes = [list(tensor.shape) for tensor in (*self.net.parameters(), *(tensor for _, tensor in inputs))]
        parts = [code, str(self.net), shapes, torch.__version__, *self.about]
        return cache_folder() / "compiled" / "ratios" / f"{short_digest(json.dumps(parts).encode())}.json"


def _known(note: Path) -> float | None:
    try:
        return read_json(note, Ratio).ratio if note.exists() else None
    except UserError:  # damaged: only an estimate is lost
        return None
