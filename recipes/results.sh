#!/usr/bin/env bash
# Train every recipe of docs/results.md over its seeds, two at a time, one thread each; finished runs are left alone.
# Usage: recipes/results.sh [SEEDS]      default "0 1 2". RECIPES: files, else all that have records in results/
# needs SPIKESEQ_DATA or a network for the downloads
set -euo pipefail
cd "$(dirname "$0")/.."
export OMP_NUM_THREADS=1
seeds=${1:-0 1 2}
spikeseq=${SPIKESEQ:-.venv/bin/spikeseq}
one() { # recipe seed
  local name=${1#recipes/}; name=${name%.yaml}
  local folder=runs/$name/seed$2
  [ -f "results/$name/seed$2.json" ] && [ -f "$folder/model.pt" ] && return 0
  mkdir -p "$folder"
  "$spikeseq" train "$1" --seed "$2" --out "$folder" --resume true --record results --progress false \
    >"$folder/log.txt" 2>&1 || { echo "FAILED $name seed $2, see $folder/log.txt"; return 1; }
  tail -n 1 "$folder/log.txt"
}
export -f one
export spikeseq
many() { for seed in $seeds; do for recipe in "$@"; do echo "$recipe $seed"; done; done | xargs -P ${JOBS:-2} -L 1 bash -c 'one "$0" "$1"'; }
recorded() { for folder in results/*/*/; do local file=recipes/${folder#results/}; file=${file%/}.yaml; [ -f "$file" ] && echo "$file"; done; }
chosen=$(ls ${RECIPES:-$(recorded)})
# what one of them starts from, or is taught by, first
first=$(sed -nE 's#^ *(start_from|teacher): runs/([^/]+/[^/]+)/.*#recipes/\2.yaml#p' $chosen | sort -u)
many ${SOURCES:-$first}
[ "${ONLY_SOURCES:-}" ] || many $(comm -23 <(sort -u <<<"$chosen") <(sort -u <<<"$first"))
