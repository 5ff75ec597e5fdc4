# The whole developer interface. Needs make and Python ≥ 3.11 with venv; everything else goes into .venv.
# Variables, from the environment or the command line (make hands on those that are set): PORT HOST LMVP_DATA_DIR LMVP_URL DATABASE_URL EMAIL_URL SECRET_KEY … (see .env.example), ARGS for the command itself.

PYTHON ?= python3
BIN := .venv/bin
MODELS := .venv/models
SITE := import sysconfig; print(sysconfig.get_path("purelib"))
PIP := -m pip install --quiet --disable-pip-version-check

.DEFAULT_GOAL := help
.PHONY: help demo serve test test-models test-formats lint fmt migrations wheel superuser bench faults soak screenshots install

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

test-models: $(MODELS)/.models ## a PyTorch module, a scikit-learn pipeline, an ONNX file, the notebook: with their libraries (1 GB)
	@LMVP_REQUIRE_FORMATS="$$(cat $<)" $(MODELS)/bin/python -m pytest -n 0 -m models tests/formats $(ARGS)

test-formats: .venv/.formats ## objects of PyTorch, scikit-learn, Keras …: their libraries (2 GB), and the tests that need them
	@LMVP_REQUIRE_FORMATS=all $(BIN)/python -m pytest tests/formats $(ARGS)

lint: .venv/.dev             ## style, types, dependency arrows, missing migrations
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/mypy --python-version 3.10 lmvp/client lmvp/__init__.py lmvp/__main__.py
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

faults: .venv/.dev           ## servers, databases, stores, disks and clocks broken under load: half an hour, or FAULTS=short: four minutes
	@LMVP_FAULTS=$(or $(FAULTS),long) $(BIN)/python -m pytest -n 0 -s tests/faults $(ARGS)

soak: .venv/.server          ## mixed work for MINUTES=10: memory, latencies, open files and connections over time
	@$(BIN)/python benchmarks/soak.py --minutes $(or $(MINUTES),10) $(ARGS)

screenshots: .venv/.dev      ## the pictures of docs/images, with Chromium (ARGS="model graph": these alone)
	@$(BIN)/python examples/screenshots.py $(ARGS)

install: .venv/.dev          ## everything for development

# numpy is the demo's: it really trains a model.
.venv/.server: requirements.txt | .venv/bin/python
	@echo "Installing the server's packages into .venv …"
	@$(BIN)/python $(PIP) -r requirements.txt "$$(grep '^numpy==' requirements-dev.txt)"
	@touch $@

.venv/.dev: requirements-dev.txt .venv/.server
	@echo "Installing the development packages into .venv …"
	@$(BIN)/python $(PIP) -r requirements-dev.txt
	@touch $@

# Sees what stands in .venv, and adds to it; the file lists the modules without which no test may be skipped. PyTorch is among
# them where the index has its build for CPUs (the other one brings gigabytes of CUDA), and needs nothing else that it names.
# Little of all this is imported: nothing is compiled beforehand.
$(MODELS)/.models: requirements-models.txt requirements-formats.txt .venv/.dev
	@echo "Installing scikit-learn, ONNX, Jupyter and PyTorch for CPUs into $(MODELS) …"
	@$(BIN)/python -m venv $(MODELS)
	@$(BIN)/python -c '$(SITE)' > "$$($(MODELS)/bin/python -c '$(SITE)')/development.pth"
	@$(MODELS)/bin/python $(PIP) --no-compile -r requirements-models.txt
	@echo sklearn skops joblib onnx onnxruntime matplotlib ipykernel nbformat nbclient > $@.draft
	@if $(MODELS)/bin/python $(PIP) --no-compile --no-deps "$$(grep '^torch==' requirements-formats.txt)+cpu"; then echo torch safetensors >> $@.draft; \
	  else echo "No index offers PyTorch without CUDA: its tests are left out here. They are in make test-formats."; fi
	@mv $@.draft $@

.venv/.formats: requirements-formats.txt requirements-models.txt .venv/.dev
	@echo "Installing the libraries whose objects are kept into .venv …"
	@$(BIN)/python $(PIP) -r requirements-formats.txt
	@touch $@

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit("LMVP needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Name another with: make PYTHON=python3.12 …" if sys.version_info < (3, 11) else 0)'
	@$(PYTHON) -m venv .venv
