# Two commands do everything on a fresh machine: `make demo` runs the course end to end, `make test` checks it.
# The README gives the same commands without make.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

export OPENBLAS_NUM_THREADS = 1

.PHONY: demo test lint benchmarks clean

demo: $(READY)
	$(BIN)/tito demo

test: $(READY)
	$(BIN)/tito export --check
	$(BIN)/python -m pytest -n 2 --dist loadfile -q $(SLOW) tests

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/tito lint

benchmarks: $(READY)
	$(BIN)/pip install -q -r requirements/oracle.txt
	$(BIN)/python -m benchmarks

$(READY): requirements/student.txt requirements/course.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --disable-pip-version-check -r requirements/course.txt
	touch $(READY)

clean:
	rm -rf source release kit submitted autograded feedback demo pictures gradebook.db .tito
