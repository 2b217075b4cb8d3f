#!/usr/bin/env bash
# accelerate's regional compilation fails on a network with a ModuleList of empty places.
#
# Seen with accelerate 1.15.0 and torch 2.14.1: nn.ModuleList takes None for a part that a layer does not have, and PyTorch
# runs, moves and saves such a network without complaint. compile_regions takes a list of nothing but None for one of
# repeated blocks and hands each to torch.compile, which returns a decorator for None; putting that into the new list
# raises a TypeError that names neither list nor entry. Beside other blocks in one list, None is passed over. Way out:
# nn.Identity() in the empty places, or torch.compile of the whole network.
#
# Exits with 0 while this is so, with 1 if it has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/python" -m pip install --quiet torch==2.14.1 accelerate==1.15.0 numpy==2.3.5
"$folder/env/bin/python" - <<'PYTHON'
import accelerate
import torch
from accelerate.utils import compile_regions
from torch import nn

print("accelerate", accelerate.__version__, "torch", torch.__version__)


class Network(nn.Module):
    def __init__(self, *extras):
        super().__init__()
        self.blocks = nn.ModuleList(nn.Linear(4, 4) for _ in extras)
        self.extras = nn.ModuleList(extras)  # one for each block

    def forward(self, x):
        for block, extra in zip(self.blocks, self.extras):
            x = block(x) if extra is None else extra(block(x))
        return x


said = {}
for name, extras in {"some None": (nn.ReLU(), None), "all None": (None, None)}.items():
    network = Network(*extras)
    print(f"{name}: PyTorch gives", tuple(network.double()(torch.ones(1, 4, dtype=torch.float64)).shape))
    try:
        compile_regions(network, backend="eager")
        said[name] = "compiled"
    except TypeError as error:
        said[name] = str(error)
    print(f"{name}: {said[name]}")
same = said["some None"] == "compiled" and "is not a Module subclass" in said["all None"]
raise SystemExit(0 if same else f"this has changed: {said}")
PYTHON
