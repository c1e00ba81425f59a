# make demo   installs, improves the embedded model on unlabeled questions, writes the report
# make test   installs what the tests need and runs them, two files at a time
# make check  lint, types, layers
# make test-verl   the adapter for verl, in an environment of its own (2 GB)

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO_OPTIONS ?=

.PHONY: install demo test test-verl check clean

install: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable .
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

demo: install
	$(BIN)/ttrl train $(DEMO_OPTIONS)

test: $(VENV)/.installed-dev
	OMP_NUM_THREADS=1 OMP_WAIT_POLICY=passive $(BIN)/pytest --numprocesses 2 --dist loadfile

test-verl: .venv-verl/.installed
	OMP_NUM_THREADS=1 .venv-verl/bin/pytest engine_tests/verl

.venv-verl/.installed: pyproject.toml constraints-verl.txt
	$(PYTHON) -m venv .venv-verl
	.venv-verl/bin/pip install --quiet --constraint constraints-verl.txt --editable '.[verl]' pytest hypothesis
	touch $@

check: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

clean:
	rm -rf $(VENV) .venv-verl
