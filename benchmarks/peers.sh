#!/bin/sh
# The peers' own environment, .venv-peers: spikeseq, and what benchmarks/train_step.py compares it with.
# Run from the repository root. A peer that cannot be installed is left out; the benchmark reports it as absent.
set -eu

venv="${PEERS_VENV:-.venv-peers}"
python="${PYTHON:-python3}"

[ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
pip() { "$venv/bin/python" -m pip --quiet --disable-pip-version-check "$@"; }

# torch first, pinned as everywhere else, so that no peer chooses its version
pip install --constraint constraints.txt torch numpy rich
pip install --no-deps --editable .

# one by one: a peer that fails takes no other with it
for peer in "snntorch==1.0.0" "spikingjelly==2.0.0" "norse==1.1.0"; do
    pip install --constraint constraints.txt "$peer" || echo "cannot install $peer (see above): it will be absent" >&2
done
pip list | grep -i -E '^(torch|snntorch|spikingjelly|norse|spikeseq) '
