#!/usr/bin/env bash
# wandb.Settings(symlink=False) still leaves a symbolic link in the folder of an offline run.
#
# Seen with wandb 0.31.0: the setting stops the links that wandb makes beside its runs (latest-run, debug.log), but the
# run's own folder logs/ has debug-core.log, a link to a file in the user's cache. A folder that is copied to another
# machine, archived with links refused, or checked for them then has a dangling or forbidden link. Way out: unlink it
# after wandb.init; the core's log stays in the cache.
#
# Exits with 0 while this is so, with 1 if it has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/python" -m pip install --quiet wandb==0.31.0
cd "$folder"
mkdir runs
HOME="$folder" "$folder/env/bin/python" - <<'PYTHON'
from pathlib import Path

import wandb

settings = wandb.Settings(symlink=False, silent=True)
with wandb.init(mode="offline", dir="runs", project="p", settings=settings) as run:
    run.log({"loss": 1.0})
links = {path.name: path for path in Path("runs").rglob("*") if path.is_symlink()}
print("wandb", wandb.__version__)
for path in links.values():
    print(path.parent.name, path.name, "->", path.readlink().name)
raise SystemExit(0 if list(links) == ["debug-core.log"] else f"this has changed: links {sorted(links)}")
PYTHON
