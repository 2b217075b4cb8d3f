#!/usr/bin/env bash
# A compiled convolution over sequences is compiled again for each length in training, though lengths are dynamic.
#
# Seen with torch 2.14.1 on a CPU: after a second length, torch.compile makes sizes symbolic, and a linear layer on
# windows is never compiled again. The lowering of a convolution's gradient compares its output length with a number,
# which becomes a guard on that very length: each new length of a batch compiles again, and from the eighth on the
# network is no longer compiled. It happens where the input needs a gradient, as behind an embedding; a first layer, and
# inference, are compiled twice. Way out: the convolution as a product with unfolded windows, or padding to few lengths.
#
# Exits with 0 while this is so, with 1 if it has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/python" -m pip install --quiet torch==2.14.1 numpy==2.3.5 setuptools
cd "$folder"
TORCHINDUCTOR_CACHE_DIR="$folder/cache" "$folder/env/bin/python" - <<'PYTHON'
import torch
from torch import nn

print("torch", torch.__version__)
LENGTHS = (40, 38, 36, 34, 32, 30)


class Convolution(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.layer = nn.Embedding(11, 3), nn.Conv1d(3, 4, kernel_size=4, stride=2)

    def forward(self, symbols):
        return self.layer(self.embed(symbols).transpose(1, 2))


class Windows(Convolution):
    def forward(self, symbols):
        halves = self.embed(symbols).unflatten(1, (-1, 2)).flatten(2)
        windows = torch.cat([halves[:, :-1], halves[:, 1:]], dim=2)
        weight = self.layer.weight.transpose(1, 2).flatten(1)
        return nn.functional.linear(windows, weight, self.layer.bias).transpose(1, 2)


def compiled(network, gradients):
    """Return how often it was compiled, after each length."""
    torch.compiler.reset()
    counts, seen = [], []
    inductor = torch._dynamo.lookup_backend("inductor")

    def backend(graph, inputs):
        seen.append(graph)
        return inductor(graph, inputs)

    code = torch.compile(network, backend=backend)
    for length in LENGTHS:
        with torch.set_grad_enabled(gradients):
            out = code(torch.randint(11, (2, length)))
        if gradients:
            out.sum().backward()
        counts.append(len(seen))
    return counts


torch.manual_seed(0)
one, other = Convolution(), Windows()
other.load_state_dict(one.state_dict())
symbols = torch.randint(11, (2, 40))
print("equal:", torch.allclose(one(symbols), other(symbols), atol=1e-5))
found = {
    "convolution, training": compiled(one, True),
    "convolution, inference": compiled(one, False),
    "windows, training": compiled(other, True),
}
for name, counts in found.items():
    print(f"{name}: compiled {counts} times after lengths {LENGTHS}")
expected = {"convolution, training": [1, 2, 3, 4, 5, 6]} | dict.fromkeys(list(found)[1:], [1, 2, 2, 2, 2, 2])
raise SystemExit(0 if found == expected else f"this has changed: {found}")
PYTHON
