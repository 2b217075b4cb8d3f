#!/usr/bin/env bash
# On a processor with AVX2 but without AVX-512, torch multiplies matrices in bfloat16 up to 85 times slower than in float32,
# though converting to float32 and back costs a tenth of the product.
#
# Seen with torch 2.14.1, one thread of an AMD EPYC, time of bfloat16 over float32: mm 1024×1024 85, bmm 57, conv2d 72,
# forward and backward of nn.Linear(1024, 1024) 56, its forward alone 9, since it takes another path; scaled_dot_product_attention
# 1.1. The larger the product, the worse (mm 256×256: 35). So autocast to bfloat16, which saves half of a step on newer
# processors, makes one of 3 s last minutes here, and nothing says so. Way out: ask /proc/cpuinfo for avx512f before choosing
# bfloat16 on a CPU; or convert products to float32 and back.
#
# Exits with 0 while this is so, with 1 if it has changed, with 2 on a processor that has AVX-512 or no AVX2.
set -euo pipefail
if ! grep -qw avx2 /proc/cpuinfo || grep -qw avx512f /proc/cpuinfo; then
    echo "this processor is of another kind: AVX2 without AVX-512 is needed" >&2
    exit 2
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/python" -m pip install --quiet torch==2.14.1 numpy==2.3.5
"$folder/env/bin/python" - <<'PYTHON'
import time

import torch

torch.set_num_threads(1)
print("torch", torch.__version__)


def seconds(work) -> float:
    work()
    before = time.process_time()
    for _ in range(3):
        work()
    return (time.process_time() - before) / 3


def ratio(make) -> float:
    wide, narrow = make(torch.float32), make(torch.bfloat16)
    return seconds(narrow) / seconds(wide)


def product(dtype):
    a, b = torch.randn(2, 1024, 1024).to(dtype)
    return lambda: a @ b


def batched(dtype):
    a = torch.randn(16, 256, 256).to(dtype)
    return lambda: torch.bmm(a, a)


def layer(dtype):
    module, x = torch.nn.Linear(1024, 1024).to(dtype), torch.randn(1024, 1024).to(dtype).requires_grad_()
    return lambda: module(x).sum().backward()


def converted(dtype):
    a, b = torch.randn(2, 1024, 1024).to(dtype)
    return lambda: (a.float() @ b.float()).to(dtype)


found = {one.__name__: ratio(one) for one in (product, batched, layer, converted)}
print("time of bfloat16 over float32:", {name: round(value, 1) for name, value in found.items()})
slow = min(found["product"], found["batched"], found["layer"])
raise SystemExit(0 if slow > 8 and found["converted"] < 2 else f"this has changed: {found}")
PYTHON
