# The whole developer interface. Needs make and Python ≥ 3.11 with venv; everything else goes into .venv.
# Variables, from the environment or the command line (make hands on those that are set): PORT HOST LMVP_DATA_DIR LMVP_URL DATABASE_URL EMAIL_URL SECRET_KEY … (see .env.example), ARGS for the command itself.

PYTHON ?= python3
BIN := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help demo serve test test-formats lint fmt migrations wheel superuser bench faults soak screenshots install

help:            ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: .venv/.server          ## a team, three trained versions, a promotion: the whole product in a minute
	@$(BIN)/python examples/demo.py $(ARGS)

serve: .venv/.server         ## the server at http://localhost:$PORT
	@$(BIN)/python manage.py serve $(ARGS)

superuser: .venv/.server     ## a user for /admin/
	@$(BIN)/python manage.py migrate --verbosity 0 && $(BIN)/python manage.py createsuperuser $(ARGS)

test: .venv/.dev             ## the tests, on SQLite or on DATABASE_URL
	@$(BIN)/python -m pytest $(ARGS)

test-formats: .venv/.formats ## objects of PyTorch, scikit-learn, Keras …: their libraries (2 GB), and the tests that need them
	@LMVP_REQUIRE_FORMATS=1 $(BIN)/python -m pytest tests/formats $(ARGS)

lint: .venv/.dev             ## style, types, dependency arrows, missing migrations
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python manage.py makemigrations --check --dry-run

fmt: .venv/.dev              ## put the code in order
	@$(BIN)/ruff check --fix . ; $(BIN)/ruff format .

migrations: .venv/.dev       ## write migrations for changed models (ARGS="--name what_changes")
	@$(BIN)/python manage.py makemigrations $(ARGS)

wheel: .venv/.dev            ## the client alone, into dist/
	@$(BIN)/python -m build --wheel --no-isolation --outdir dist .

bench: .venv/.server         ## the figures of docs/performance.md
	@$(BIN)/python benchmarks/run.py $(ARGS)

faults: .venv/.dev           ## servers, databases, disks and clocks broken under load: half an hour, or FAULTS=short
	@LMVP_FAULTS=$(or $(FAULTS),long) $(BIN)/python -m pytest -n 0 -s tests/faults $(ARGS)

soak: .venv/.server          ## mixed work for MINUTES=10: memory, latencies, open files and connections over time
	@$(BIN)/python benchmarks/soak.py --minutes $(or $(MINUTES),10) $(ARGS)

install: .venv/.dev          ## everything for development

# numpy is the demo's: it really trains a model.
.venv/.server: requirements.txt | .venv/bin/python
	@echo "Installing the server's packages into .venv …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt "$$(grep '^numpy==' requirements-dev.txt)"
	@touch $@

.venv/.dev: requirements-dev.txt .venv/.server
	@echo "Installing the development packages into .venv …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@

.venv/.formats: requirements-formats.txt .venv/.dev
	@echo "Installing the libraries whose objects are kept into .venv …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-formats.txt
	@touch $@

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit("LMVP needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Name another with: make PYTHON=python3.12 …" if sys.version_info < (3, 11) else 0)'
	@$(PYTHON) -m venv .venv
