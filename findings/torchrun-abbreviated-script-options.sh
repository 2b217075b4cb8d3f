#!/usr/bin/env bash
# torchrun refuses options of the script behind it that abbreviate two of its own, such as --log or --max.
#
# Seen with torch 2.14.1 and Python 3.11: all that follows the script's name is meant for the script, and --role, which
# is one of torchrun's own options, arrives there. But --log stops with "ambiguous option: --log could match --log-dir,
# --log-line-prefix-template ...", and --max 3 likewise, before anything is started. So a training script with
# an option --log runs by itself and fails under torchrun. Way out: `torchrun ... -- script.py --log x`.
#
# Exits with 0 while this is so, with 1 if it has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/python" -m pip install --quiet torch==2.14.1 numpy==2.3.5
"$folder/env/bin/python" --version
"$folder/env/bin/python" -c 'import torch; print("torch", torch.__version__)'
printf 'import sys\nprint("the script got", sys.argv[1:])\n' > "$folder/script.py"
seen=""
for words in "script.py --role x" "script.py --log x" "script.py --max 3" "-- script.py --log x"; do
    code=0
    (cd "$folder" && env/bin/torchrun --nproc-per-node 1 $words > out 2>&1) || code=$?
    echo "torchrun --nproc-per-node 1 $words: exit $code, $(tail -1 "$folder/out")"
    seen="$seen $code"
done
[ "$seen" = " 0 2 2 0" ] || { echo "this has changed:$seen"; exit 1; }
