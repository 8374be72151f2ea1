# Two commands for everybody: `make demo` and `make test`. Nothing is installed outside .venv.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed
DEV := .venv/.installed-dev
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.PHONY: setup demo test test-forge check format lock clean
.DEFAULT_GOAL := help

help:  ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 16

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "reconciler needs Python 3.11 or newer; set PYTHON=…"; exit 1; }
	@$(PYTHON) -m venv .venv || { echo "hint: on Debian and Ubuntu the venv module is the package python3-venv"; exit 1; }

$(STAMP): requirements/run.txt requirements/build.txt pyproject.toml | $(BIN)/python
	@echo "installing the locked dependencies into .venv …"
	@$(PIP) install --require-hashes -r requirements/build.txt -r requirements/run.txt
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(DEV): requirements/dev.txt $(STAMP)
	@echo "installing the locked development tools into .venv …"
	@$(PIP) install --require-hashes -r requirements/dev.txt
	@touch $@

setup: $(DEV)  ## make .venv with everything that development needs

demo: $(STAMP)  ## the whole story on the embedded cluster
	@$(BIN)/reconciler demo

test: check  ## all checks, then all tests; builds the real control plane once (about 7 minutes) where Go is
	@$(BIN)/python tests/controlplane/build.py
	@$(BIN)/python -m pytest -n 2

test-forge: $(DEV)  ## reviews beside a real Gitea; builds it once (about 4 minutes), needs Go and gcc
	@$(BIN)/python -m pytest -s tests/forge/real

check: $(DEV)  ## lint, format, types, layers
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: $(DEV)  ## rewrite the sources in the project's format
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

clean:  ## remove what setup and the checks made
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
