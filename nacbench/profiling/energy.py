"""GPU energy measurement in joules by NVML's energy counter."""

from collections.abc import Callable

import torch


def energy_meter(device: str) -> Callable[[], float] | None:
    """Return a function that reads the GPU's energy counter: joules since the driver was loaded.

    None for a CPU, and for a GPU without a counter (older than Volta).
    """
    if torch.device(device).type != "cuda":
        return None
    import pynvml

    try:
        pynvml.nvmlInit()
        # By UUID: torch's device indices follow CUDA_VISIBLE_DEVICES, NVML's do not
        handle = pynvml.nvmlDeviceGetHandleByUUID(f"GPU-{torch.cuda.get_device_properties(device).uuid}")
        pynvml.nvmlDeviceGetTotalEnergyConsumption(handle)
    except pynvml.NVMLError:
        return None
    return lambda: float(pynvml.nvmlDeviceGetTotalEnergyConsumption(handle)) / 1000  # NVML counts millijoules
