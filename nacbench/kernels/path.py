"""Which kernels compute: nacbench's own or PyTorch's. It is decided once for each run, and is in its record."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nacbench.contracts.kernels import KernelSetting
from nacbench.errors import UserError
from nacbench.kernels import attention, geglu, links, norm, softmax
from nacbench.kernels.build import UnavailableError, load

NAMES = {"cpu": "C++", "cuda": "Triton"}
PYTORCH = "PyTorch"

_using: frozenset[str] = frozenset()  # the types of devices on which own kernels compute


def in_use(tensor: Tensor) -> bool:
    """Whether own kernels compute on the device of this tensor."""
    return tensor.device.type in _using


@dataclass
class KernelPath:
    """The path of one run.

    Attributes:
        name: ``C++``, ``Triton`` or ``PyTorch``; None as long as nothing is decided, and for networks without kernels.
    """

    name: str | None = None

    def decide(self, net: nn.Module, setting: KernelSetting, device: str, say: Callable[[str], None]) -> None:
        """Decide for a network, if it has modules with kernels of their own (``own_kernels = True``).

        Args:
            net: the network.
            setting: ``auto``: own kernels where they can be had. ``native``: own kernels. ``torch``: PyTorch's.
            device: ``cpu`` or ``cuda``.
            say: told in one line what is built, and why own kernels cannot be had.

        Raises:
            UserError: if they are asked for by ``native``, and cannot be had.
        """
        global _using
        if not any(getattr(module, "own_kernels", False) for module in net.modules()):
            return
        self.name = PYTORCH
        if setting == "torch":
            return
        reason = why_not(device, say)
        if reason is None:
            self.name = NAMES[device]
            _using = frozenset({device})
        elif setting == "native":
            raise UserError(f"--kernels native: {reason}; --kernels auto computes without them")
        else:
            say(f"computing with PyTorch's kernels, as nacbench's own cannot be had: {reason}")


@contextmanager
def path_of_run() -> Iterator[KernelPath]:
    """Yield the path of one run, to be decided once its network is there; at the end that before is in use again."""
    global _using
    before, _using = _using, frozenset()
    try:
        yield KernelPath()
    finally:
        _using = before


def setting_of(recorded: str | None) -> KernelSetting:
    """Return the setting that computes as a recorded run was scored: with own kernels only if that was.

    Args:
        recorded: ``environment.kernels`` of its record; of two names the last is that of the scoring.
    """
    return "auto" if recorded and recorded.rpartition(", ")[2] in NAMES.values() else "torch"


_reasons: dict[str, str | None] = {}  # by type of device: why there are no own kernels; None: there are


def why_not(device: str, say: Callable[[str], None]) -> str | None:
    """Return why own kernels cannot be had on a device, in one line; None if they can. They are built if need be."""
    if device not in _reasons:
        try:
            _load(device, say)
            _check(device)
            _reasons[device] = None
        except UnavailableError as error:
            _reasons[device] = str(error)
        except Exception as error:  # Triton compiles when it is called, with a compiler that may raise anything
            _reasons[device] = f"{type(error).__name__}: {' '.join(str(error).split()):.200}"
    return _reasons[device]


def _load(device: str, say: Callable[[str], None]) -> None:
    """Give PyTorch the kernels of a device.

    Raises:
        UnavailableError: if they cannot be had.
    """
    if device == "cpu":
        load(say)
        return
    try:
        from nacbench.kernels import triton_attention, triton_geglu, triton_links, triton_norm, triton_softmax
    except ImportError as error:  # torch has Triton with it in its builds for CUDA on Linux
        raise UnavailableError(f"Triton: {error}") from None
    for module in (triton_attention, triton_geglu, triton_links, triton_norm, triton_softmax):
        for kernel in module.KERNELS:
            torch.library.impl(f"nacbench::{kernel.__name__}", "CUDA", kernel)


def _check(device: str) -> None:
    """Compute small examples and compare them with PyTorch: kernels that were built wrong are not used.

    Raises:
        UnavailableError: if a value or a gradient differs.
    """
    with torch.inference_mode(False), torch.enable_grad(), torch.autocast(device, enabled=False):
        hidden = torch.linspace(-4, 4, 2 * 3 * 34, device=device).view(2, 3, 34).requires_grad_()
        gain = torch.linspace(0.5, 1.5, 3 * 17, device=device).view(3, 17).requires_grad_()
        added = gain.flatten()[:34]
        value, gate = (hidden + added).chunk(2, dim=-1)
        scores, bias = hidden.view(2, 2, 3, 17), gain.view(1, 1, 3, 17)
        x, weight, shift = hidden.view(4, 3, 17), gain[0], gain[1]
        gains = [gain, gain.flip(0), gain.square()]
        normal = F.layer_norm(x, (17,), weight, shift)
        rows = hidden, hidden.sin(), hidden.cos()  # query, key and value of two heads
        query, key, read = (x.unflatten(-1, (2, 17)).transpose(1, 2) for x in rows)
        between = gain[:, :3]
        gathered = (query @ key.mT / 17**0.5 + between).softmax(-1) @ read
        noise = torch.linspace(0.001, 0.999, 2 * 3 * 17, device=device).view(2, 3, 17)
        pairs = [
            (geglu.geglu(hidden, added, gain), value * F.gelu(gate) * gain),
            (softmax.biased_softmax(scores, bias, 0.5), (0.5 * scores + bias).softmax(-1)),
            (torch.cat(norm.norm_gains(x, weight, shift, gains, 1e-5)[0]), torch.cat([normal * g for g in gains])),
            (attention.biased_attention(*rows, between[None, None], 2), gathered.transpose(1, 2).flatten(2)),
            (links.log_links(gain[None], noise, 0.5), F.logsigmoid(2 * (gain + noise.logit()))),
        ]
        for own, right in list(pairs):
            seed = right.detach().cos()
            sides = (
                torch.autograd.grad(out, (hidden, gain), seed, retain_graph=True, materialize_grads=True)
                for out in (own, right)
            )
            pairs.extend(zip(*sides, strict=True))
    if not all(torch.allclose(own, right, rtol=1e-4, atol=1e-5) for own, right in pairs):
        raise UnavailableError("the kernels give wrong numbers on this machine")
