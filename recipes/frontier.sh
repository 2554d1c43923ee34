#!/usr/bin/env bash
# Accuracy against energy on MNIST by rows: T x spike rate x H, six epochs of fine-tuning each; records mnist_frontier/*.
# Usage: recipes/frontier.sh [one NAME], needs SPIKESEQ_DATA; draw it with `make frontier`
set -euo pipefail
cd "$(dirname "$0")/.."
export OMP_NUM_THREADS=1
spikeseq=${SPIKESEQ:-.venv/bin/spikeseq}
seed=${SEED:-0}
run() { # name recipe overrides
  local name=$1 recipe=$2 sets=(--set "name=mnist_frontier/$1")
  shift 2
  for s in "$@"; do sets+=(--set "$s"); done
  local folder=runs/mnist_frontier/$name/seed$seed
  [ -f "results/mnist_frontier/$name/seed$seed.json" ] && [ -f "$folder/model.pt" ] && return 0
  mkdir -p "$folder"
  "$spikeseq" train "recipes/mnist_rows/$recipe.yaml" --seed "$seed" --out "$folder" --resume true --record results \
    --progress false "${sets[@]}" >"$folder/log.txt" 2>&1 || { echo "FAILED $name, see $folder/log.txt"; return 1; }
  tail -n 1 "$folder/log.txt"
}
one() { # lstm_h64, gru_h128, t2_r20_h64 (r0: no budget)
  local h=${1##*_h}
  case $1 in
    lstm_*) run "$1" lstm_source "model.hidden_size=$h" ;;
    gru_*) run "$1" gru "model.hidden_size=$h" train.epochs=12 ;;
    *) local t=${1%%_*} r=${1#*_r}; t=${t#t}; r=${r%%_*}
       run "$1" spiking_t2 "model.hidden_size=$h" "model.options.time_steps=$t" "train.target_spike_rate=0.$r" train.epochs=6 \
         "train.start_from=runs/mnist_frontier/lstm_h$h/seed{seed}/model.pt" ;;
  esac
}
names() {
  for h in 64 128; do echo "lstm_h$h gru_h$h"; done
  for h in 64 128; do for t in 1 2; do for r in 10 20 30; do echo "t${t}_r${r}_h$h"; done; done; done
}
if [ "${1:-}" = one ]; then one "$2"; else for name in $(names); do one "$name"; done; fi
