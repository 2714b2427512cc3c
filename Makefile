# What can be done here: `make help`.

SHELL := /bin/bash
.DEFAULT_GOAL := help

# the first of these that is new enough: a name alone proves nothing where versions are switched by a wrapper
PYTHON ?= $(shell for name in python3.11 python3 python3.12 python3.13 python3.14; do \
    $$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$name; break; }; done)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input --quiet

# of the demo
HOST ?= 127.0.0.1
PORT ?= 8080
TLS ?=
DATA ?= ./demo-data
PASSWORD ?=
ONCE ?=
export PASSWORD

# of the tests
T ?= tests
N ?= 2
PYTEST_OPTIONS ?=

demo: $(VENV)/run ## Act out the main job, then serve: HOST, PORT, TLS=1, DATA, PASSWORD, ONCE=1
	@EAS_DEMO_PASSWORD="$$PASSWORD" $(BIN)/eas-server demo --data "$(DATA)" --host "$(HOST)" --port "$(PORT)" \
	    $(if $(filter-out 0 no,$(TLS)),--tls) $(if $(filter-out 0 no,$(ONCE)),--once)

test: $(VENV)/dev ## Run the tests; T=tests/protocol for a part of them
	$(BIN)/pytest -n $(N) $(PYTEST_OPTIONS) $(T)

check: format-check lint types imports test ## All that has to hold: format, lint, types, import rules, tests

format-check: $(VENV)/dev
	$(BIN)/ruff format --check .

lint: $(VENV)/dev
	$(BIN)/ruff check .

types: $(VENV)/dev
	$(BIN)/mypy

imports: $(VENV)/dev
	$(BIN)/lint-imports

format: $(VENV)/dev ## Write the code in its form
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/dev ## Print the benchmarks
	$(BIN)/python -m benchmarks

compliance: $(VENV)/dev ## List the requirements that tests check in docs/compliance.md
	$(BIN)/python -m pytest -p tests.compliance --compliance docs/compliance.md --collect-only -q >/dev/null

fixtures: $(VENV)/dev ## Make the fixtures anew (needs openssl)
	@for script in fixtures/*/make.py; do echo "$$script"; $(BIN)/python "$$script" || exit 1; done

lock: $(VENV)/dev ## Resolve the dependencies anew, with hashes
	$(PIP) install uv
	cd requirements && ../$(BIN)/uv pip compile $(LOCK) -o run.txt ../pyproject.toml build.in
	cd requirements && ../$(BIN)/uv pip compile $(LOCK) -o dev.txt --extra dev ../pyproject.toml build.in
LOCK := --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header

clean: ## Remove the environment and what tools leave behind
	rm -rf $(VENV) build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

help: ## Show this
	@echo "make TARGET [NAME=value …]"
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "  %-10s %s\n", $$1, $$2 }'

# the environment: a stamp a set of packages, older than its lock file when it has to be made anew

$(VENV)/run: requirements/run.txt pyproject.toml | $(BIN)/python
	@echo "Installing what the server needs into $(VENV)"
	@$(PIP) install --require-hashes -r requirements/run.txt
	@PYTHONWARNINGS=ignore $(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/dev: requirements/dev.txt $(VENV)/run
	@echo "Installing what tests and checks need into $(VENV)"
	@$(PIP) install --require-hashes -r requirements/dev.txt
	@touch $@

$(BIN)/python:
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	    echo "Python 3.11 or later is needed$(if $(PYTHON),; '$(PYTHON)' is not one). Name one: make PYTHON=/path/to/python3.11"; exit 1; }
	@"$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null || { \
	    echo "'$(PYTHON)' cannot make environments; on Debian and Ubuntu: apt install python3-venv"; exit 1; }
	@"$(PYTHON)" -m venv $(VENV)

.PHONY: demo test check format-check lint types imports format bench compliance fixtures lock clean help
