#!/usr/bin/env bash
# A TorchDispatchMode that only passes operations on makes nn.GRU fail under inference_mode and bf16 autocast.
#
# Seen with torch 2.14.1 on a CPU: without the mode, and with it under no_grad, the same layers work. Under
# inference_mode with the mode, the GRU ends with "expected scalar type BFloat16 but found Float": its weights are no
# longer cast. Counters of operations and of memory are such modes, so that measuring a recurrent network can fail where
# running it does not. Way out: no_grad while a mode is active.
#
# Exits with 0 while this is so, with 1 if it has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/python" -m pip install --quiet torch==2.14.1 numpy==2.3.5
"$folder/env/bin/python" - <<'PYTHON'
from contextlib import nullcontext

import torch
from torch.utils._python_dispatch import TorchDispatchMode


class PassOn(TorchDispatchMode):
    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        return function(*args, **(kwargs or {}))


linear, gru = torch.nn.Linear(4, 8), torch.nn.GRU(8, 8, batch_first=True)


def outcome(mode, gradients_off):
    try:
        with mode, gradients_off(), torch.autocast("cpu", torch.bfloat16):
            gru(linear(torch.zeros(2, 3, 4)))
    except RuntimeError as error:
        return str(error).splitlines()[0]
    return "works"


print("torch", torch.__version__)
seen = []
for gradients_off in (torch.no_grad, torch.inference_mode):
    for mode in (nullcontext(), PassOn()):
        seen.append(outcome(mode, gradients_off))
        print(f"{gradients_off.__name__:15}{type(mode).__name__:13}{seen[-1]}")
expected = ["works", "works", "works", "expected scalar type BFloat16 but found Float"]
raise SystemExit(0 if seen == expected else f"this has changed: {seen}")
PYTHON
