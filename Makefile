# Each target sets up what it needs, so that any of them can be the first one called.
# PYTHON is looked at only once, when the virtual environment is made.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.set-up

# Two workers by default; each computes with one thread, or they get in each other's way.
WORKERS ?= 2
PYTEST := OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 \
	$(BIN)/python -m pytest -n $(WORKERS)

.DEFAULT_GOAL := help
.PHONY: help setup demo test prove lint format constraints clean

help: ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: $(STAMP) ## make the virtual environment in .venv, once

# Made again only when what it holds has changed.
$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "weft needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version 2>&1)." \
		"Name another one: make setup PYTHON=python3.12" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing weft and its tools into $(VENV) (about a minute the first time) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check \
		--constraint constraints.txt --editable '.[dev]'
	@touch $@

demo: $(STAMP) ## train a network on digits; the model, report and picture go to demo/
	@mkdir -p demo
	@$(BIN)/weft fit digits --output demo/digits.weft --report demo/digits.html \
		--plot demo/digits.png --force

test: lint ## check style, types and floors, then run every test once
	@$(PYTEST)

prove: lint ## the same with the full counts and the expensive tests (takes long)
	@WEFT_PROVE=1 $(PYTEST)

lint: $(STAMP) ## check style, types and floors
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache

format: $(STAMP) ## mend what style checks can mend by themselves
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

# From an environment made anew, so that nothing left over is pinned.
constraints: ## renew constraints.txt with the newest versions that pyproject.toml allows
	@rm -rf $(VENV)/fresh
	@$(PYTHON) -m venv $(VENV)/fresh
	@$(VENV)/fresh/bin/python -m pip install --quiet --disable-pip-version-check '.[dev]'
	@{ sed -n '/^#/p' constraints.txt; \
		$(VENV)/fresh/bin/python -m pip freeze --exclude weft; } > $(VENV)/constraints.txt
	@mv $(VENV)/constraints.txt constraints.txt
	@rm -rf $(VENV)/fresh

clean: ## remove all that the other targets made
	@rm -rf $(VENV) demo build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@find src tests -name __pycache__ -type d -prune -exec rm -rf {} +
