#!/usr/bin/env bash
# torch.linalg.vector_norm of a large float32 tensor on a CPU is too small by a thousandth, where sum() is exact to 1e-7.
#
# Seen with torch 2.14.1 on a CPU: squares are added up one after the other in float32 (a few at a time), while sum() adds in
# pairs. The error grows with the number of elements: 1e-5 for a million, 1e-4 for five, 1e-3 for twenty million. So
# clip_grad_norm_ clips a model's one large embedding (or a flat tensor of all gradients) less than it says, and a
# norm that is taken in pieces is another one. With float64 in between, or as norm of the norms of pieces of 65,536
# elements, the error is below 1e-5. Way out: vector_norm(x, dtype=torch.float64), or x.square().sum().sqrt().
#
# Exits with 0 while this is so, with 1 if it has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/python" -m pip install --quiet torch==2.14.1 numpy==2.3.5
"$folder/env/bin/python" - <<'PYTHON'
import torch

print("torch", torch.__version__)
torch.manual_seed(0)
errors = {}
for count in (1_000_000, 5_000_000, 20_000_000):
    x = torch.nn.Parameter(torch.randn(count))
    exact = float(x.detach().double().norm())
    with torch.no_grad():
        pieces = torch.stack([piece.norm() for piece in x.split(65_536)]).norm()
        norms = {
            "vector_norm": torch.linalg.vector_norm(x),
            "clip_grad_norm_'s": torch.nn.utils.get_total_norm([x]),
            "sum of squares": x.square().sum().sqrt(),
            "norm of norms": pieces,
            "in float64": torch.linalg.vector_norm(x, dtype=torch.float64),
        }
    errors[count] = {name: abs(float(norm) / exact - 1) for name, norm in norms.items()}
    print(f"{count:>10,} elements, relative error:", {name: f"{error:.0e}" for name, error in errors[count].items()})
last = errors[20_000_000]
same = last["vector_norm"] > 5e-4 and last["clip_grad_norm_'s"] > 5e-4
others = max(last[name] for name in ("sum of squares", "norm of norms", "in float64"))
raise SystemExit(0 if same and others < 1e-5 else f"this has changed: {last}")
PYTHON
