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
SOURCES := src tests benchmarks workflow/scripts

.PHONY: demo mini mirror flower test test-slow test-gpu test-flower bench lint schemas lock clean

demo: $(READY) ## everything, on small made-up archives, in minutes
	$(SNAKEMAKE) --configfile config/demo.yaml
	echo "report: results/demo/report/index.html  tables: results/demo/tables  figures: results/demo/figures"

mini: $(READY) ## everything, on real subsets: make mini MIRROR=<folder>
	if [ -z "$(MIRROR)" ]; then
	  echo "make mini needs the folder of the subset archives: make mini MIRROR=../shared/data" >&2
	  exit 2
	fi
	$(SNAKEMAKE) --configfile config/mini.yaml --config "mirror=$(MIRROR)"
	echo "report: results/mini/report/index.html  tables: results/mini/tables  figures: results/mini/figures"

mirror: $(READY) ## what a target needs, to carry to a cluster: make mirror TARGET=fssuavl FOLDER=<folder>
	if [ -z "$(TARGET)" ] || [ -z "$(FOLDER)" ]; then
	  echo "make mirror needs a target and a folder: make mirror TARGET=fssuavl_table2 FOLDER=/path/to/mirror" >&2
	  exit 2
	fi
	$(BIN)/fedssl mirror $(TARGET) "$(FOLDER)"

# Bytecode is written whatever the environment says: a thousand processes import the package.
test: $(READY) ## all tests but the slow ones
	PYTHONDONTWRITEBYTECODE= OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m "not slow" -n $(CORES) --no-loadscope-reorder

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

schemas: $(READY) ## the JSON schemas and the tables of config/README.md, from declared settings
	$(BIN)/python -m fedssl.schema

# The extra `flower` is left out of requirements.lock: pip would refuse its pin of typer.
COMPILE := uv pip compile --quiet --generate-hashes --no-emit-index-url --no-annotate \
  --custom-compile-command "make lock" --python-version 3.11 \
  --python-platform x86_64-manylinux_2_28 pyproject.toml --extra dev

lock: ## resolve pyproject.toml again; needs `pip install uv`
	$(COMPILE) -o requirements.lock
	$(COMPILE) --extra flower --constraints requirements.lock -o requirements-flower.lock
	{
	  echo "# Made by \`make lock\` from requirements.lock, for \`snakemake --sdm conda\`."
	  printf 'channels: [conda-forge]\ndependencies:\n  - python=3.11\n  - pip\n  - pip:\n'
	  sed -nE 's/^([a-z0-9][^ ]*==[^ ;]*).*/      - \1/p' requirements.lock
	} > envs/fedssl.yaml

clean: ## remove the demo's and mini's results
	rm -rf results/demo results/mini

# Both environments are made alike: the folder of a `.ready` file, from the lock next to it.
$(READY): requirements.lock
$(FLOWER_READY): requirements-flower.lock
%/.ready:
	case "$(CURDIR)" in *" "*)
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
	rm -rf $*
	$(PYTHON) -m venv $*
	$*/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r $<
	$*/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@
