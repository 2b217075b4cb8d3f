"""What a GPU takes from the socket, by its own meter (NVML)."""

from collections.abc import Callable

import torch


def energy_meter(device: str) -> Callable[[], float] | None:
    """A function that gives the joules that the GPU has used since its driver was loaded; None for a CPU, and for a GPU
    that keeps no count (before Volta)."""
    if torch.device(device).type != "cuda":
        return None
    import pynvml

    try:
        pynvml.nvmlInit()
        # torch's numbering follows CUDA_VISIBLE_DEVICES, NVML's does not
        handle = pynvml.nvmlDeviceGetHandleByUUID(f"GPU-{torch.cuda.get_device_properties(device).uuid}")
        pynvml.nvmlDeviceGetTotalEnergyConsumption(handle)
    except pynvml.NVMLError:
        return None
    return lambda: float(pynvml.nvmlDeviceGetTotalEnergyConsumption(handle)) / 1000  # it counts millijoules
