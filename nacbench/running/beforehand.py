"""What a run needs of this machine, checked before its earlier record is moved away, instead of when it is computed."""

from __future__ import annotations

import os

from nacbench.contracts.kernels import KernelSetting
from nacbench.errors import UserError
from nacbench.formats.terminal import say
from nacbench.running.config import RunConfig


def require_weights(config: RunConfig) -> None:
    """Check that the weights are there that a run, or the run that trains its network, begins with.

    Raises:
        UserError: if they are gone; if they have changed, the configuration could not be resolved.
    """
    for own in (config, config.trained_on):
        given = own.init_from if own is not None else None
        if given is not None and (given.path is None or not os.path.lexists(given.path)):
            raise UserError(
                f"the weights that this run begins with (digest {given.weights}) are not at {given.path}; name them "
                "with --init-from"
            )


def require_kernels(setting: KernelSetting, device: str) -> None:
    """Check that nacbench's own kernels can be had on a device, if nothing else will do; this builds them.

    Raises:
        UserError: if they cannot.
    """
    if setting != "native":
        return
    from nacbench.kernels.path import why_not

    if reason := why_not(device, say):
        raise UserError(f"--kernels native: {reason}; --kernels auto computes without them")
