#!/bin/sh
# The peers' own environment, .venv-peers: spikeseq, and what benchmarks/train_step.py, runtime.py and exchange.py compare it with.
# Run from the repository root. A peer that cannot be installed is left out; the benchmark reports it as absent.
set -eu

venv="${PEERS_VENV:-.venv-peers}"
python="${PYTHON:-python3}"

[ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
pip() { "$venv/bin/python" -m pip --quiet --disable-pip-version-check "$@"; }

# torch first, pinned as everywhere else, so that no peer chooses its version; then what the scripts import of spikeseq's needs
pip install --constraint constraints.txt "torch==$(sed -n 's/^torch==//p' constraints.txt)"
pip install --constraint constraints.txt numpy rich matplotlib PyYAML pooch scikit-learn
pip install --no-deps --editable .

# one by one: a peer that fails takes no other with it
for peer in "snntorch==1.0.0" "spikingjelly==2.0.0" "norse==1.1.0" "onnx==1.23.2 onnxruntime==1.31.1" \
    "nir==1.0.8 nirtorch==2.6"; do
    # shellcheck disable=SC2086  # two packages that belong together
    pip install --constraint constraints.txt $peer || echo "cannot install $peer (see above): it will be absent" >&2
done
pip list | grep -i -E '^(torch|snntorch|spikingjelly|norse|onnx|onnxruntime|spikeseq) '
