# `make demo`, `make test`: on a bare machine, from a Python 3.11 and this repository.

.DELETE_ON_ERROR:
.ONESHELL:
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c

PYTHON ?= python3
CORES ?= 2
MIRROR ?=
TARGET ?=
FOLDER ?=
BIN := .venv/bin
READY := .venv/.ready
FLOWER_READY := .venv-flower/.ready
SNAKEMAKE := $(BIN)/snakemake --cores $(CORES)
DOCS := .venv-docs
DOCS_READY := $(DOCS)/.ready
SOURCES := src tests benchmarks workflow/scripts

.DEFAULT_GOAL := help
.PHONY: help demo mini mirror flower test test-slow test-gpu test-flower bench lint schemas docs pictures lock clean

help: ## what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

demo: $(READY) ## everything, on small made-up archives, in minutes
	$(SNAKEMAKE) --configfile config/demo.yaml

mini: $(READY) ## everything, on real subsets: make mini MIRROR=<folder>
	if [ -z "$(MIRROR)" ]; then
	  echo "make mini needs the folder of the subset archives: make mini MIRROR=../shared/data" >&2
	  exit 2
	fi
	$(SNAKEMAKE) --configfile config/mini.yaml --config "mirror=$(MIRROR)"

mirror: $(READY) ## what a target needs, to carry to a cluster: make mirror TARGET=fssuavl FOLDER=<folder>
	if [ -z "$(TARGET)" ] || [ -z "$(FOLDER)" ]; then
	  echo "make mirror needs a target and a folder: make mirror TARGET=fssuavl_table2 FOLDER=/path/to/mirror" >&2
	  exit 2
	fi
	$(BIN)/fedssl mirror $(TARGET) "$(FOLDER)"

# Bytecode is written whatever the environment says: a thousand processes import the package.
# A test that hangs ends the run after 15 minutes, with its stack.
test: $(READY) ## all tests but the slow ones
	PYTHONDONTWRITEBYTECODE= OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m "not slow" -n $(CORES) --no-loadscope-reorder \
	  --max-worker-restart 0 -o faulthandler_timeout=900 -o faulthandler_exit_on_timeout=true

test-slow: $(READY) ## the tests that take minutes each
	$(BIN)/python -m pytest -m slow

test-gpu: $(READY) ## the tests that need a GPU, then throughput next to ready input and the chip's peak
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m gpu
	$(BIN)/python benchmarks/gpu.py

flower: $(FLOWER_READY) ## .venv-flower, the environment of the engine `flower`

test-flower: $(FLOWER_READY) ## the tests of the engine `flower`: simulation, and deployment over TLS
	.venv-flower/bin/python -m pytest tests/flower tests/unit/test_engine.py

bench: $(READY) ## compare the speed with other systems, and write docs/performance.md
	$(BIN)/python -m benchmarks.bench

lint: $(READY) ## style, types, and Snakemake's own linter
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/mypy
	$(BIN)/snakemake --lint --configfile config/demo.yaml

schemas: $(READY) ## the JSON schemas and the references of settings and commands, from the code
	$(BIN)/python -m fedssl.schema
	$(BIN)/typer fedssl.command.main utils docs --name fedssl --title Commands --output docs/reference/commands.md

# The theme advertises a successor on every build unless it is told not to.
docs: $(DOCS_READY) ## the documentation as a site that opens without a network: site/index.html
	NO_MKDOCS_2_WARNING=1 $(DOCS)/bin/mkdocs build --strict --quiet
	echo "documentation: site/index.html"

pictures: $(READY) ## the pictures of the README and the documentation, from a finished demo
	$(BIN)/python -m tests.browser.pictures

lock: ## resolve pyproject.toml again, for all variants; needs `pip install uv`
	resolve="uv pip compile --quiet --no-emit-index-url --no-annotate --custom-compile-command make\ lock"
	linux=x86_64-manylinux_2_28
	eval $$resolve --generate-hashes --python-version 3.11 --python-platform $$linux --extra dev \
	  pyproject.toml -o requirements.lock
	# The extra `flower` is left out of requirements.lock: pip would refuse its pin of typer.
	eval $$resolve --generate-hashes --python-version 3.11 --python-platform $$linux --extra dev \
	  --extra flower -c requirements.lock pyproject.toml -o requirements-flower.lock
	# What runs the workflow, without tests and tools: the pins of the lock.
	eval $$resolve --generate-hashes --python-version 3.11 --python-platform $$linux \
	  -c requirements.lock pyproject.toml -o envs/cuda.lock
	pins() { sed -nE 's/^([a-z0-9][^ ]*==[^ ;]*).*/\1/p' "$$1"; }
	# A build of torch for CPUs needs none of these. Its hashes are others, so there are none here.
	{
	  echo "# Made by \`make lock\` from envs/cuda.lock, for \`uv pip install --torch-backend cpu\`."
	  pins envs/cuda.lock | grep -vE '^(nvidia-|cuda-|triton==)'
	} > envs/cpu.txt
	{
	  echo "# Made by \`make lock\` from envs/cuda.lock, for \`snakemake --sdm conda\`."
	  printf 'channels: [conda-forge]\ndependencies:\n  - python=3.11\n  - pip\n  - pip:\n'
	  pins envs/cuda.lock | sed 's/^/      - /'
	} > envs/fedssl.yaml
	# Every Python and processor that is named must take the same pins.
	for python in 3.11 3.12 3.13; do
	  for platform in $$linux aarch64-manylinux_2_28; do
	    eval $$resolve --no-header --python-version $$python --python-platform $$platform \
	      -c envs/cuda.lock pyproject.toml -o .lock-$$python-$$platform
	    diff <(pins envs/cuda.lock) <(pins .lock-$$python-$$platform)
	    rm .lock-$$python-$$platform
	  done
	done
	uv pip compile --quiet --generate-hashes --no-emit-index-url --no-annotate \
	  --custom-compile-command "make lock" --python-version 3.11 \
	  --python-platform x86_64-manylinux_2_28 --group docs -o requirements-docs.lock

clean: ## remove the demo's and mini's results
	rm -rf results/demo results/mini

$(DOCS_READY): requirements-docs.lock
	rm -rf $(DOCS)
	$(PYTHON) -m venv $(DOCS)
	$(DOCS)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements-docs.lock
	touch $(DOCS_READY)

# Both environments are made alike: the folder of a `.ready` file, from the lock next to it.
$(READY): requirements.lock
$(FLOWER_READY): requirements-flower.lock
%/.ready:
	@case "$(CURDIR)" in *" "*)
	  echo "This path contains a space, which Python environments cannot run from: $(CURDIR)" >&2
	  exit 2;;
	esac
	found="$$($(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null || true)"
	if [ "$$found" != 3.11 ]; then
	  echo "This project needs Python 3.11, but '$(PYTHON)' is $${found:-missing}: install it, or name it with PYTHON=/path/to/python3.11." >&2
	  exit 2
	fi
	if ! $(PYTHON) -c 'import ensurepip, venv' 2>/dev/null; then
	  echo "'$(PYTHON)' cannot make environments: install its venv module (Debian: python3.11-venv)." >&2
	  exit 2
	fi
	echo "installing the packages of $< into $*, which takes about 2 minutes"
	rm -rf $*
	$(PYTHON) -m venv $*
	$*/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r $<
	$*/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@
