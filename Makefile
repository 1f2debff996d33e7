# make help says what there is. Everything happens in $(VENV), which is made at the first need.

PYTHON ?= python3
VENV ?= .venv
# Tried first where there is no GPU: a CPU build is 4 GB smaller than the CUDA build, which is what
# PyPI has for Linux. pip finds one where a folder (PIP_FIND_LINKS) or an index of it is configured.
CPU_TORCH ?= torch==2.13.0+cpu
# For pytest, as in: make test ARGS="-k audio". Unless told otherwise, all tests, two files at once.
ARGS ?= -n 2 --dist loadfile

SHELL := bash
BIN := $(abspath $(VENV))/bin
INSTALLED := $(VENV)/.installed
DEMO := egs/demo/KaraokeNet
SOURCES := $(wildcard setup.py asteroid_karaoke recipes egs eval tests docs)
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help
help: ## show this help
	@sed -nE 's/^([a-z]+):.*## (.*)/make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

.PHONY: venv
venv: $(INSTALLED) ## the environment alone, in .venv

.PHONY: demo
demo: $(INSTALLED) ## train and score a small model, then take the voice out of a real song
	$(DEMO)/run.sh --tag demo --python_path $(BIN)/python
	@echo "Now a song: the excerpt of MUSDB18 that came with the installation"
	@song=$$($(BIN)/python -W ignore -c "from recipes import demo; print(demo.excerpt_path())") && \
	$(BIN)/asteroid-karaoke separate "$$song" -o $(DEMO)/exp/karaoke --overwrite \
		--model $(DEMO)/exp/train_KaraokeNet_demo/publish_dir/model.pth

.PHONY: test
# Small tensors: more threads only get in each other's way, by a factor of 5 on a busy machine.
test: export OMP_NUM_THREADS ?= 1
test: $(INSTALLED) ## run the tests
	$(BIN)/python -m pytest $(ARGS)

.PHONY: results
results: $(INSTALLED) ## make the README's tables anew from eval/results/*.json
	PYTHONPATH=. $(BIN)/python -W ignore eval/tables.py

.PHONY: docs
# Every warning is an error: a name or a link that leads nowhere, an example that is not true.
docs: SPHINX = $(BIN)/python -W ignore -m sphinx -W -n -q -d build/docs/doctrees
docs: $(INSTALLED) ## build the guide into build/docs/html, run its examples
	$(SPHINX) -b html docs build/docs/html
	$(SPHINX) -b doctest docs build/docs/doctest

.PHONY: lint
lint: $(INSTALLED) ## check style (black, ruff) and types (mypy)
	$(BIN)/black --check $(SOURCES)
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/mypy

.PHONY: format
format: $(INSTALLED) ## let black and ruff mend the style
	$(BIN)/ruff check --fix-only --quiet $(SOURCES)
	$(BIN)/black $(SOURCES)

$(INSTALLED): setup.py | system
	$(PYTHON) -m venv $(VENV)
	@if ! command -v nvidia-smi >/dev/null; then \
		$(BIN)/pip install "$(CPU_TORCH)" 2>/dev/null \
		|| echo "no $(CPU_TORCH) here: taking the torch that pip finds, on Linux some 3 GB"; \
	fi
	$(BIN)/pip install --editable ".[test,docs]"
	@touch $@

# What pip does not bring: ffmpeg and ffprobe (museval's stempeg looks for them when imported), a C
# compiler and Python's headers (pesq, which Asteroid needs, has no wheels), and ensurepip, which
# Debian cuts off Python. Root on Debian gets them, everybody else a line that says what to do.
.PHONY: system
system:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { \
		echo "need Python 3.10 or newer, $(PYTHON) is $$($(PYTHON) --version 2>&1):" \
			"name another one, as in make PYTHON=python3.12" >&2; exit 1; }
	@missing=(); \
	{ command -v ffmpeg && command -v ffprobe; } >/dev/null || missing+=(ffmpeg); \
	command -v $${CC:-cc} >/dev/null || missing+=(build-essential); \
	$(PYTHON) -c 'import ensurepip' 2>/dev/null || missing+=(python3-venv); \
	$(PYTHON) -c 'import pathlib, sysconfig; \
		(pathlib.Path(sysconfig.get_path("include")) / "Python.h").stat()' 2>/dev/null \
		|| missing+=(python3-dev); \
	if ((!$${#missing[@]})); then exit 0; fi; \
	if [[ $$(id -u) == 0 ]] && command -v apt-get >/dev/null; then \
		apt-get update -q && apt-get install -qy --no-install-recommends "$${missing[@]}"; \
	else \
		echo "missing on this machine, install by: sudo apt-get install $${missing[*]}" \
			"(or by your system's own means)" >&2; exit 1; \
	fi
