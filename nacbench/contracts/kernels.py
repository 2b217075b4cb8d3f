"""The setting ``kernels``: whose kernels compute."""

from typing import Literal, get_args

from nacbench.errors import UserError, shown

KernelSetting = Literal["auto", "native", "torch"]
SETTINGS: tuple[KernelSetting, ...] = get_args(KernelSetting)


def kernel_setting(given: object) -> KernelSetting:
    """Return the setting ``auto``, ``native`` or ``torch``.

    Raises:
        UserError: if it is none of these.
    """
    for setting in SETTINGS:
        if given == setting:
            return setting
    raise UserError(f"unknown kernels {shown(given)}; there are: {', '.join(SETTINGS)}")
