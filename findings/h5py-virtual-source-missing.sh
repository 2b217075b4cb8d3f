#!/usr/bin/env bash
# h5py reads a virtual dataset whose source file is not there as zeros, without an error or a warning.
#
# Seen with h5py 3.16.0: a virtual dataset shows the numbers of its source as long as that lies at its path. Moved away,
# as when a folder is copied in part, every number is 0; so are those past the end of a raw file for external storage
# that was cut short. Only a raw file that is missing altogether raises. Shape and type stay right, so that checks of
# these do not notice: a network trains on zeros. Way out: before reading, look at Dataset.is_virtual and, with
# virtual_sources(), at each source file; and at Dataset.external, with the size of each raw file.
#
# Exits with 0 while this is so, with 1 if it has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/python" -m pip install --quiet h5py==3.16.0 numpy==2.3.5
cd "$folder"
env/bin/python - <<'PYTHON'
import warnings
from pathlib import Path

import h5py
import numpy as np

warnings.simplefilter("error")
numbers = np.arange(1.0, 7.0)
with h5py.File("source.h5", "w") as file:
    file["data"] = numbers
layout = h5py.VirtualLayout(shape=(6,), dtype="f8")
layout[:] = h5py.VirtualSource("source.h5", "data", shape=(6,))
with h5py.File("virtual.h5", "w") as file:
    file.create_virtual_dataset("data", layout)
with h5py.File("external.h5", "w") as file:
    file.create_dataset("data", data=numbers, external=[("numbers.raw", 0, 48)])


def read(name):
    try:
        with h5py.File(name) as file:
            return file["data"][:].tolist()
    except OSError:
        return "OSError"


seen = [read("virtual.h5"), read("external.h5")]
Path("source.h5").rename("moved.h5")
Path("numbers.raw").write_bytes(Path("numbers.raw").read_bytes()[:16])
seen += [read("virtual.h5"), read("external.h5")]
Path("numbers.raw").unlink()
seen += [read("external.h5")]
names = ["virtual", "external", "virtual, source moved", "external, file cut", "external, file missing"]
print("h5py", h5py.__version__)
for name, found in zip(names, seen):
    print(f"{name:24}{found}")
expected = [numbers.tolist(), numbers.tolist(), [0.0] * 6, [1.0, 2.0, 0.0, 0.0, 0.0, 0.0], "OSError"]
raise SystemExit(0 if seen == expected else "this has changed")
PYTHON
