#!/usr/bin/env bash
# FlopCounterMode counts the backward pass of a grouped convolution as if it had a single group.
#
# Seen with torch 2.14.1 on a CPU: the gradient with respect to weights of a convolution costs as much as the forward
# pass, and is counted so with one group. With g groups the forward count falls to 1/g, as it should; the count of the
# backward pass with respect to the weights stays, so that a depthwise layer of 32 channels seems to cost 32 times its
# forward pass. Networks with depthwise convolutions (ConvNeXt, MobileNet) look much dearer to train than they are.
# Way out: FlopCounterMode(custom_mapping={torch.ops.aten.convolution_backward: ...}).
#
# Exits with 0 while this is so, with 1 if it has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/python" -m pip install --quiet torch==2.14.1 numpy==2.3.5
"$folder/env/bin/python" - <<'PYTHON'
import torch
from torch.utils.flop_counter import FlopCounterMode

print("torch", torch.__version__)
seen = []
for groups in (1, 4, 32):
    layer = torch.nn.Conv1d(32, 32, 3, groups=groups, bias=False)
    with FlopCounterMode(display=False) as counter:
        out = layer(torch.zeros(1, 32, 10))  # no gradient of the input: it is the first layer
        forward = counter.get_total_flops()
        out.sum().backward()
    seen.append((counter.get_total_flops() - forward) / forward)
    print(f"{groups:2} groups: forward {forward}, backward {seen[-1]:g} times as much")
raise SystemExit(0 if seen == [1, 4, 32] else f"this has changed: {seen}")
PYTHON
