#!/usr/bin/env bash
# No single switch makes PyTorch compute on an AVX-512 processor as on one with AVX2: GELU follows oneDNN's, softmax ATen's.
#
# Seen with torch 2.14.1 on x86-64 in fp32: ATEN_CPU_CAPABILITY=avx2 is the documented switch for PyTorch's own kernels
# (torch.backends.cpu.get_cpu_capability says AVX2 then), but it leaves the digits of GELU and of convolutions as they
# were, as these are oneDNN's. ONEDNN_MAX_CPU_ISA=AVX2 changes these and leaves softmax. A matrix product changes with neither of them. Whoever wants the numbers of another machine again has to set
# both; whoever compares two machines, of which a virtual one may not tell the processor's model, has to know both.
#
# Exits with 0 while this is so, with 1 if it has changed, with 2 on a processor without AVX-512, which cannot show it.
set -euo pipefail
grep -q avx512f /proc/cpuinfo || { echo "this processor has no AVX-512"; exit 2; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/python" -m pip install --quiet torch==2.14.1 numpy==2.3.5
cat > "$folder/digests.py" <<'PYTHON'
import hashlib
import json

import torch
from torch.nn import functional as F

torch.manual_seed(0)
torch.set_num_threads(1)
rows, square = torch.randn(64, 256), torch.randn(256, 256)
images, kernels = torch.randn(8, 16, 16, 16), torch.randn(32, 16, 3, 3)
found = {
    "gelu": F.gelu(rows),
    "convolution": F.conv2d(images, kernels),
    "softmax": rows.softmax(-1),
    "product": rows @ square,
}
digests = {name: hashlib.sha256(value.numpy().tobytes()).hexdigest()[:8] for name, value in found.items()}
print(json.dumps({"torch": torch.__version__, "capability": torch.backends.cpu.get_cpu_capability(), **digests}))
PYTHON
python="$folder/env/bin/python $folder/digests.py"
plain=$(env -u ATEN_CPU_CAPABILITY -u ONEDNN_MAX_CPU_ISA $python)
aten=$(env -u ONEDNN_MAX_CPU_ISA ATEN_CPU_CAPABILITY=avx2 $python)
onednn=$(env -u ATEN_CPU_CAPABILITY ONEDNN_MAX_CPU_ISA=AVX2 $python)
printf '%s\n' "plain   $plain" "ATen    $aten" "oneDNN  $onednn"
python3 - "$plain" "$aten" "$onednn" <<'PYTHON'
import json
import sys

plain, aten, onednn = map(json.loads, sys.argv[1:])
changed = {
    name: (plain[name] != aten[name], plain[name] != onednn[name])
    for name in ("gelu", "convolution", "softmax", "product")
}
print("changed by the switch of (ATen, oneDNN):", changed)
seen = {"gelu": (False, True), "convolution": (False, True), "softmax": (True, False), "product": (False, False)}
is_so = changed == seen and aten["capability"] == "AVX2"
print("as before" if is_so else "changed")
sys.exit(0 if is_so else 1)
PYTHON
