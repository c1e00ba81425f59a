# make demo   installs, improves the embedded model on unlabeled questions, writes the report
# make test   installs what the tests need and runs them, two files at a time
# make check  lint, types, layers
# make test-trl   the same for the adapter to TRL, in an environment of its own
# make test-verl  the same for the adapter to verl

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO_OPTIONS ?=

.PHONY: install demo test test-trl test-verl check clean

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

$(VENV)-trl/.installed: pyproject.toml constraints-trl.txt
	$(PYTHON) -m venv $(VENV)-trl
	$(VENV)-trl/bin/pip install --quiet --constraint constraints-trl.txt --editable '.[trl]' pytest pytest-xdist hypothesis
	touch $@

test-trl: $(VENV)-trl/.installed
	OMP_WAIT_POLICY=passive $(VENV)-trl/bin/pytest --numprocesses 2 --dist loadfile \
		engine_tests/trl tests/rl/algorithms/test_against_trl.py

$(VENV)-verl/.installed: pyproject.toml constraints-verl.txt
	$(PYTHON) -m venv $(VENV)-verl
	$(VENV)-verl/bin/pip install --quiet --constraint constraints-verl.txt --editable '.[verl]' pytest
	touch $@

test-verl: $(VENV)-verl/.installed
	OMP_NUM_THREADS=1 OMP_WAIT_POLICY=passive $(VENV)-verl/bin/pytest engine_tests/verl

check: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

clean:
	rm -rf $(VENV) $(VENV)-trl $(VENV)-verl
