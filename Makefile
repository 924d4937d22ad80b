# Needs Python 3.11 or newer with its venv module, make and git. Everything else arrives in .venv, once: each target
# first brings it up to date, and a second run finds that there is nothing to do.

PYTHON ?= python3
ARGS ?=
PROVIDERS ?= local

BIN := .venv/bin
UV := $(BIN)/uv
PIN := $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-emit-find-links --custom-compile-command 'make lock' $(ARGS)

.DEFAULT_GOAL := help
.PHONY: help demo up down test test-unit test-crash test-billing lint generate verify bench bench-webhook bench-runtime lock

help: ## This list. ARGS are passed on: make demo ARGS=--keep
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: .venv/installed ## From a signed Stripe event to an answered chat, and back to nothing; PROVIDERS=simulated or cloud
	@$(BIN)/claw demo --providers $(PROVIDERS) $(ARGS)

up: .venv/installed ## The local stack, until Ctrl-C
	@$(BIN)/claw up --providers $(PROVIDERS) $(ARGS)

down: .venv/installed ## Ends a stack that was left running
	@$(BIN)/claw down $(ARGS)

test: .venv/installed ## All tests but test-crash and test-billing, on a real API server and a real PostgreSQL
	@$(BIN)/pytest --ignore=tests/crash --ignore=tests/billing $(ARGS)

test-unit: .venv/installed ## The tests that need nothing, in seconds
	@$(BIN)/pytest tests/unit $(ARGS)

test-crash: .venv/installed ## The operator killed around every single write, in some minutes
	@$(BIN)/pytest --quiet tests/crash $(ARGS)

test-billing: .venv/installed ## Two years of 500 subscriptions, told by 10,000 bad deliveries, in some minutes
	@$(BIN)/pytest --quiet tests/billing $(ARGS)

lint: .venv/installed ## Format, lint, types and the directions of imports
	@$(BIN)/ruff format --check
	@$(BIN)/ruff check
	@$(BIN)/mypy
	@$(BIN)/mypy tests
	@$(BIN)/lint-imports

generate: .venv/installed ## The CustomResourceDefinitions, from the models
	@$(BIN)/python -m claw_crds

verify: .venv/installed ## Whether everything generated, the lock and the imports are as they should be
	@$(BIN)/python -m claw_crds --check
	@$(BIN)/pytest --quiet tests/unit/test_lock.py
	@$(UV) pip check --python $(BIN)/python
	@$(BIN)/lint-imports

bench: .venv/installed ## Speeds and sizes, as ratios measured in one run
	@$(BIN)/python -m tests.bench $(ARGS)

bench-webhook: .venv/installed ## How fast events are acknowledged, and how many a second are taken in for good
	@$(BIN)/python -m tests.bench webhook $(ARGS)

bench-runtime: .venv/installed ## What an assistant costs to start and keep, how quick it is, and what it finds again
	@$(BIN)/python -m tests.bench runtime memory $(ARGS)

lock: .venv/bootstrapped ## Writes requirements/*.txt; newer versions with ARGS=--upgrade
	$(PIN) pyproject.toml --extra operator --output-file requirements/operator.txt
	$(PIN) pyproject.toml --extra webhook --output-file requirements/webhook.txt
	$(PIN) pyproject.toml --extra runtime --output-file requirements/runtime.txt
	$(PIN) pyproject.toml --all-extras --group dev --output-file requirements/dev.txt
	$(PIN) --group bootstrap --output-file requirements/bootstrap.txt

# Without isolation, or the build would fetch a hatchling that nobody locked.
.venv/installed: .venv/bootstrapped requirements/dev.txt pyproject.toml
	@echo "==> Python packages of requirements/dev.txt"
	@$(UV) pip install --python $(BIN)/python --compile-bytecode --require-hashes --requirement requirements/dev.txt
	@$(UV) pip install --python $(BIN)/python --quiet --no-deps --no-build-isolation --editable .
	@touch $@

.venv/bootstrapped: requirements/bootstrap.txt
	@$(BIN)/python -c 'import pip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || $(MAKE) --no-print-directory .venv
	@echo "==> uv, which installs the rest"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement $<
	@touch $@

# Only when there is none whose Python works and is new enough.
.PHONY: .venv
.venv:
	@command -v "$(PYTHON)" >/dev/null || { \
		echo "There is no $(PYTHON). Install Python 3.11 or newer, or name one: make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "$$($(PYTHON) --version) is too old: Python 3.11 or newer is needed. Name one: make PYTHON=python3.12" >&2; \
		exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "$(PYTHON) lacks its venv module. On Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	@echo "==> .venv, with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv --clear .venv
