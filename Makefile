# What a person types; .ci/run calls the same words. Everything lives in .venv, made from constraints.txt.
VENV ?= .venv
PYTHON ?= python3
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DOCS ?= .venv-docs
export SPIKESEQ_DATA ?= $(if $(wildcard ../shared/data),$(abspath ../shared/data),)
ifeq ($(SPIKESEQ_DATA),)
unexport SPIKESEQ_DATA
endif

.PHONY: demo test check docs dist bench reliability lib results results-table frontier clean

demo: $(STAMP)
	$(BIN)/spikeseq demo --out runs/demo

test: $(STAMP)
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist worksteal

check: $(STAMP)
	$(BIN)/ruff check src tests benchmarks examples
	$(BIN)/ruff format --check src tests benchmarks examples
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m spikeseq.report.table results docs/results.md --check

# the site, in an environment without torch: the API is read from the sources
docs: $(DOCS)/.installed
	NO_MKDOCS_2_WARNING=1 $(DOCS)/bin/mkdocs build --quiet --strict --site-dir site

dist: $(DOCS)/.installed
	rm -rf dist
	$(DOCS)/bin/python -m build --outdir dist .

$(DOCS)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(DOCS)
	sed -n 's/^docs = \[\(.*\)\].*/\1/p' pyproject.toml | tr -d '",' | xargs $(DOCS)/bin/python -m pip install --quiet --constraint constraints.txt
	touch $@

# models of make results that the runtime's benchmarks run, where they are
SPEECH_MODELS ?= $(wildcard runs/speech_commands/gated_v*/seed0/model.pt runs/speech_commands/t2_int8_long/seed0/model.pt)
HAR_MODELS ?= $(wildcard runs/uci_har/spiking_t2/seed0/model.pt runs/uci_har/spiking_t2_rate25/seed0/model.pt)
SPIKING_MODELS ?= $(wildcard runs/uci_har/*spiking*/seed*/model.pt runs/mnist_rows/*spiking*/seed*/model.pt)

# training cost, and time of one element, against the other libraries, in a venv of their own
bench: $(STAMP)
	bash benchmarks/peers.sh
	OMP_NUM_THREADS=1 .venv-peers/bin/python benchmarks/train_step.py
	OMP_NUM_THREADS=1 .venv-peers/bin/python benchmarks/lif.py
	OMP_NUM_THREADS=1 .venv-peers/bin/python benchmarks/exchange.py
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/memory.py
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/scaling.py
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/speech_lengths.py
	OMP_NUM_THREADS=1 .venv-peers/bin/python benchmarks/runtime.py --trained $(HAR_MODELS)
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/runtime_memory.py
	$(if $(SPEECH_MODELS),OMP_NUM_THREADS=1 $(BIN)/python benchmarks/runtime_trained.py --models $(SPEECH_MODELS))
	$(if $(SPIKING_MODELS),OMP_NUM_THREADS=1 $(BIN)/python benchmarks/runtime_accuracy.py --models $(SPIKING_MODELS))

# the runtime's C library alone, for a clone that borrows another's venv by PYTHONPATH
lib:
	cmake -S csrc -B build/lib -DSPIKESEQ_INPLACE=ON
	cmake --build build/lib

# hours: every training of docs/results.md, records into results/
results: $(STAMP)
	recipes/results.sh
	$(MAKE) results-table

results-table: $(STAMP)
	$(BIN)/python -m spikeseq.report.table results docs/results.md

$(STAMP): pyproject.toml constraints.txt $(wildcard csrc/*.[ch]) csrc/CMakeLists.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=24"
	$(BIN)/python -m pip install --quiet --constraint constraints.txt "torch==$$(sed -n 's/^torch==//p' constraints.txt)"
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[dev]"
	# oracles of tests, without what they ask for (tonic is GPL, torchaudio has no CPU build): what is imported needs none of it
	$(BIN)/python -m pip install --quiet --no-deps "snntorch==1.0.0" "nirtorch==2.6" "neurobench==2.3.0"
	touch $@

clean:
	rm -rf $(VENV) $(DOCS) .venv-peers build dist site

# minutes: kills, damaged files and exchange formats, counted into results/reliability.json
reliability: $(STAMP)
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/reliability.py --out results

# accuracy against energy, from the records of make results and recipes/frontier.sh
frontier: $(STAMP)
	$(BIN)/python -m spikeseq.report.frontier docs/frontier_int32.png results/mnist_rows results/mnist_frontier
	$(BIN)/python -m spikeseq.report.frontier docs/frontier_fp32.png results/mnist_rows results/mnist_frontier --format fp32
	$(BIN)/python -m spikeseq.report.frontier docs/frontier_int32_memory.png results/mnist_rows results/mnist_frontier --memory
