# `make demo` and `make test` do all the set-up: a virtual environment in .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
OLDEST := .venv-oldest

.PHONY: demo test test-oldest lint docs benchmark clean

demo: $(VENV)/installed
	$(BIN)/h5vidstack demo

test: $(VENV)/installed lint
	$(BIN)/python -m pytest

# All tests with the oldest versions that pyproject.toml allows, as far as there are wheels.
test-oldest: $(OLDEST)/installed
	$(OLDEST)/bin/python -m pytest

lint: $(VENV)/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# The guide, as build/docs/index.html; a warning is an error.
docs: $(VENV)/installed
	$(BIN)/sphinx-build -W --keep-going -q -d build/doctrees docs build/docs

benchmark: $(VENV)/installed
	$(BIN)/python tests/benchmark/speed.py
	$(BIN)/python tests/benchmark/order.py

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[test]'
	touch $@

$(OLDEST)/installed: pyproject.toml constraints-oldest.txt
	$(PYTHON) -m venv $(OLDEST)
	$(OLDEST)/bin/pip install --quiet --only-binary :all: \
		--constraint constraints-oldest.txt --editable '.[test]'
	touch $@

clean:
	rm -rf $(VENV) $(OLDEST) .mypy_cache .pytest_cache .ruff_cache .hypothesis *.egg-info build
