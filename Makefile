# What can be done here; `make` lists it. Python and its packages live in .venv, made when missing and brought
# up to date when the lock changed; the servers of the tests are built once into ~/.cache/bundlewatch.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
unexport PYTHONPATH PYTHONHOME

BIN := .venv/bin
KIT := PYTHONPATH=tests $(BIN)/python
CRD := crds/bundlewatch.dev_bundlewatches.yaml
LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-emit-find-links --no-header --no-annotate $(UPGRADE) pyproject.toml --extra uvloop

PYTEST := $(BIN)/python -m pytest

.PHONY: help erase demo test check format crd bench dist lock bed venv clean

help: ## This list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' Makefile

demo: venv bed ## Watch it work: a chart is published, an Application moves, and the status says why
	@$(KIT) -m kit.demo

# Two at a time, since they mostly wait; a file's tests stay together, with servers of their own.
test: PYTEST := $(BIN)/coverage run -m pytest
test: erase check bed ## Everything the README promises, against real servers; includes check
	$(PYTEST) --numprocesses=2 --dist=loadfile tests/cluster tests/registry tests/oracle
	@$(BIN)/coverage combine --quiet
	@echo "coverage: $$($(BIN)/coverage report --format=total) % of lines and branches"

check: venv ## Format, lint, types, floors, the generated CRD, and the unit tests: seconds
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	@fresh=$$($(BIN)/bundlewatch crd); \
	diff -u $(CRD) - <<< "$$fresh" || { echo "$(CRD) is stale: run \`make crd\`" >&2; exit 1; }
	$(PYTEST) --quiet --numprocesses=auto --dist=worksteal tests/unit

erase: venv
	@$(BIN)/coverage erase

format: venv ## Format, and fix what the linter can fix
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

crd: venv ## Generate crds/ from the models
	@mkdir -p crds
	$(BIN)/bundlewatch crd > $(CRD).new
	@mv $(CRD).new $(CRD)

bench: venv bed ## The figures of benchmarks/, as a table; minutes
	@$(KIT) benchmarks/run.py

dist: venv ## The wheel, into dist/
	$(BIN)/python -m build --wheel --no-isolation

lock: venv ## Write requirements/ from pyproject.toml; UPGRADE=--upgrade takes newer versions
	$(LOCK) --output-file requirements/runtime.txt
	$(LOCK) --group dev --constraint requirements/runtime.txt --output-file requirements/dev.txt

bed: venv ## Build the servers the tests run against, once: about 10 minutes on 2 cores
	@$(KIT) -m kit.bed > /dev/null

venv: .venv/installed ## Python's packages, into .venv
	@:

# Written last, so that an interrupted installation is done again.
.venv/installed: requirements/dev.txt pyproject.toml
	@for python in python3 python3.14 python3.13 python3.12 python3.11 none; do \
		if "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2> /dev/null; then break; fi; \
	done; \
	if [ "$$python" = none ]; then \
		echo "Python 3.11 or newer is needed, and none of python3, python3.11 … python3.14 on PATH is." >&2; exit 1; \
	fi; \
	if ! $(BIN)/python -m pip --version > /dev/null 2>&1; then \
		rm -rf .venv; \
		"$$python" -m venv .venv || { \
			rm -rf .venv; \
			echo "$$python cannot make .venv; on Debian and Ubuntu the package python3-venv is missing." >&2; exit 1; \
		}; \
	fi
	@echo "installing Python's packages into .venv: about a minute, again only when requirements/dev.txt changes"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

clean: ## Remove what was made in this checkout, .venv too; the servers in the cache stay
	rm -rf .venv build dist .coverage .coverage.* .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
