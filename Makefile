# `make demo` and `make test` need nothing else. Needs Python 3.11 or later, make and git.

PYTHON ?= python3
PORT   ?= 8000
VENV   := .venv
BIN    := $(VENV)/bin
WORKERS ?= 2
STAYS  ?= 100000
CUSTOMERS ?= 10000

export PORT

.PHONY: help demo test run soak bench load cluster-test check lock clean
.DEFAULT_GOAL := help

help: ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 8

# One stamp file for all that is installed; it is made again when a list of requirements changes.
INSTALLED := $(VENV)/.installed$(if $(DATABASE_URL),,-embedded)
$(INSTALLED): requirements.txt requirements-dev.txt requirements-embedded.txt
	@$(PYTHON) -c 'import sys; sys.exit("Milestreak needs Python 3.11 or later, this is " + sys.version.split()[0] + ": make PYTHON=python3.12 ..." if sys.version_info < (3, 11) else 0)'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { echo 'Could not make a virtual environment: on Debian and Ubuntu install the package python3-venv.'; rm -rf $(VENV); exit 1; }
	@echo 'Installing what requirements.txt and requirements-dev.txt pin ...'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
ifndef DATABASE_URL
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --only-binary :all: -r requirements-embedded.txt || { echo 'There is no embedded PostgreSQL for this platform. Install PostgreSQL 15 or later and set DATABASE_URL=postgres://user:password@host:5432/name'; exit 1; }
endif
	@touch $@

# A checkout is for trying and developing until somebody says otherwise: the environment beats this file.
.env:
	@echo 'DEBUG=true' > .env

demo: $(INSTALLED) .env ## play the published cases over HTTP, then keep the site running (SERVE=0: end)
	@$(BIN)/python manage.py migrate --verbosity 0
	@$(BIN)/python manage.py collectstatic --no-input --verbosity 0
	@$(BIN)/python manage.py demo $(if $(filter 0,$(SERVE)),--no-serve)

run: $(INSTALLED) .env ## serve API, docs page and admin on PORT (8000)
	@$(BIN)/python manage.py migrate --verbosity 0
	@$(BIN)/python manage.py collectstatic --no-input --verbosity 0
	@$(BIN)/gunicorn --config config/gunicorn.py config.wsgi

test: $(INSTALLED) .env ## the whole suite on a real PostgreSQL
	@$(BIN)/python -m pytest -n auto --dist worksteal

soak: $(INSTALLED) .env ## the long random runs: 5,000 fresh histories, 2,000 rounds of each race, 50,000 requests; the whole suite with receipts in parts
	@RACE_ROUNDS=2000 $(BIN)/python -m pytest -v -n auto --dist worksteal --soak tests/properties tests/concurrency tests/contract tests/plans
	@$(BIN)/python -m pytest -n auto --dist worksteal --receipts-in-parts

bench: $(INSTALLED) .env ## figures: what a call and a close cost; written to docs/benchmarks.md
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-bench.txt
	@$(BIN)/python -m pytest -s -m benchmark -p no:randomly -p no:xdist --timeout 1200 tests/benchmarks

cluster-test: $(INSTALLED) .env ## primary, replica, PgBouncer, two web nodes, HAProxy; some are lost under load
	@$(BIN)/python -m pytest -s -m cluster -p no:randomly -p no:xdist tests/cluster

load: $(INSTALLED) .env ## fill the database with a large brand: make load STAYS=1000000 CUSTOMERS=100000
	@$(BIN)/python manage.py migrate --verbosity 0
	@$(BIN)/python -m tests.benchmarks.loading --stays $(STAYS) --customers $(CUSTOMERS) $(LOAD)

check: $(INSTALLED) .env ## format, lint, types, missing migrations, deploy check, OpenAPI, known vulnerabilities
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python manage.py makemigrations --check --dry-run
	$(BIN)/python -m tests.deploy_check
	$(BIN)/python manage.py spectacular --validate --fail-on-warn --file .openapi.yaml
	$(BIN)/python -m tests.dependency_audit

lock: $(INSTALLED) ## pin the requirements anew
	@for list in requirements requirements-dev requirements-embedded requirements-bench; do \
	  $(BIN)/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --no-emit-index-url $$list.in -o $$list.txt || exit 1; done

clean: ## remove what was installed and built (not .data, the database)
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .static .openapi.yaml
