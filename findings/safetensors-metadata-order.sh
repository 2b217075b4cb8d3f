#!/usr/bin/env bash
# safetensors writes the entries of a file's metadata in random order, so equal files have different digests.
#
# Seen with safetensors 0.8.0: the same tensor and the same eight entries of metadata, serialised in twenty processes,
# give almost twenty different byte sequences; with one entry, or none, they give one. Tensors are sorted, metadata are
# not. A digest of a checkpoint (in a record, a lock file, a content-addressed store) therefore says "changed" about
# weights that are the same. Way out: one entry that holds everything, for example as JSON.
#
# Exits with 0 while this is so, with 1 if it has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/python" -m pip install --quiet safetensors==0.8.0 numpy==2.3.5
cat >"$folder/digest.py" <<'PYTHON'
import hashlib
import sys

import numpy as np
from safetensors.numpy import save

metadata = {f"key{number}": "value" for number in range(int(sys.argv[1]))}
print(hashlib.sha256(save({"weight": np.zeros(3)}, metadata=metadata or None)).hexdigest())
PYTHON
digests() { for _ in $(seq 20); do "$folder/env/bin/python" "$folder/digest.py" "$1"; done | sort -u | wc -l; }
one=$(digests 1)
eight=$(digests 8)
echo "safetensors 0.8.0: 20 processes, different files with 1 entry of metadata: $one, with 8 entries: $eight"
[ "$one" -eq 1 ] && [ "$eight" -gt 1 ]
