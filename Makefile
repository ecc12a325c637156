# `make demo` and `make test` do all the set-up: a virtual environment in .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/$(if $(filter Windows_NT,$(OS)),Scripts,bin)
OLDEST := .venv-oldest
# A process for each core. Tests of one file share a process, and what takes long to make there.
PARALLEL := --numprocesses logical --dist loadfile

.PHONY: demo test test-all test-oldest test-sources lint docs benchmark wheel viewer clean

demo: $(VENV)/package
	$(BIN)/h5vidstack demo

test: lint
	$(BIN)/python -m pytest $(PARALLEL)

# Everything that `make test` runs, what takes long as well, and which lines were run.
test-all: lint
	$(BIN)/python -m pytest $(PARALLEL) --long --cov --cov-report=term --cov-report=html:build/coverage

# All tests with the oldest versions that pyproject.toml allows, as far as there are wheels.
test-oldest: $(OLDEST)/installed
	$(OLDEST)/bin/python -m pytest $(PARALLEL)

# Thousands of input files of every kind, each read by us and by a decoder that is not ours
# (minutes); `make test` has a sample of them. MATRIX="videos --share 0.1" runs a part.
test-sources: $(VENV)/tools
	cd tests/sources && PYTHONPATH=$(CURDIR):$(CURDIR)/tests $(abspath $(BIN))/python -m matrix $(MATRIX)

lint: $(VENV)/tools
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# The guide, as build/docs/index.html; a warning is an error.
docs: $(VENV)/tools
	$(BIN)/sphinx-build -W --keep-going -q -d build/doctrees docs build/docs

# The page that shows stacks in a browser, as build/docs/viewer/index.html. It needs clang, wasm-ld,
# node and npm (Debian: clang lld nodejs npm).
VIEWER ?= $(CURDIR)/build/docs/viewer
viewer:
	$(MAKE) -C docs/viewer/wasm OUT=$(CURDIR)/build/wasm
	mkdir -p build/npm && cp docs/viewer/package.json docs/viewer/package-lock.json docs/viewer/.npmrc build/npm
	cd build/npm && npm ci --silent
	node docs/viewer/build.mjs build/npm/node_modules/h5wasm build/wasm/libh5vidstack.so $(VIEWER)

benchmark: $(VENV)/tools
	$(BIN)/python benchmarks/speed.py
	$(BIN)/python benchmarks/order.py

# A wheel for this system, with the C core and the HDF5 plugin.
wheel: $(VENV)/package
	$(BIN)/pip wheel --quiet --no-deps --wheel-dir dist .

# The package alone, which is all that users install.
$(VENV)/package: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable .
	touch $@

# What tests, linters and the guide need besides.
$(VENV)/tools: $(VENV)/package
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[test]'
	touch $@

$(OLDEST)/installed: pyproject.toml constraints-oldest.txt
	$(PYTHON) -m venv $(OLDEST)
	$(OLDEST)/bin/pip install --quiet --only-binary :all: \
		--constraint constraints-oldest.txt --editable '.[test]'
	touch $@

clean:
	$(MAKE) -C plugin clean
	rm -f h5vidstack/*.so h5vidstack/plugin/*.so
	rm -rf $(VENV) $(OLDEST) .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache *.egg-info build
