# Two commands do everything on a fresh machine: `make demo` runs the course end to end, `make test` checks it.
# The README gives the same commands without make.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

export OPENBLAS_NUM_THREADS = 1

.PHONY: demo test lint benchmarks mutation requirements clean

demo: $(READY)
	$(BIN)/tito demo

test: $(READY)
	$(BIN)/tito export --check
	$(BIN)/python -m pytest -n 2 --dist loadscope --no-loadscope-reorder -q $(SLOW) tests

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/tito lint

benchmarks: $(READY)
	$(BIN)/pip install -q -r requirements/oracle.txt
	$(BIN)/python -m benchmarks

mutation: $(READY)
	$(BIN)/pip install -q -r requirements/mutation.txt
	$(BIN)/tito mutate

# Pins for every Python and system that we promise, from the short lists in requirements/*.in. Pins that still fit stay
# as they are; `make requirements UPGRADE=--upgrade` takes the newest of everything. Committed files name no package index.
UPGRADE :=
COMPILE = $(BIN)/uv pip compile -q $(UPGRADE) --universal --python-version 3.11 --fork-strategy fewest \
	--only-binary :all: --no-annotate --custom-compile-command "make requirements"

requirements: $(READY)
	$(BIN)/python -m pip install -q uv
	$(COMPILE) requirements/student.in -o requirements/student.txt
	$(COMPILE) -c requirements/student.txt requirements/student.in requirements/course.in requirements/test.in \
		-o requirements/course.txt
	$(COMPILE) -c requirements/course.txt --no-deps requirements/oracle.in -o requirements/oracle.txt
	$(COMPILE) -c requirements/course.txt requirements/scale.in -o requirements/scale.txt
	$(COMPILE) --no-binary yattag -c requirements/course.txt requirements/mutation.in -o requirements/mutation.txt

$(READY): requirements/course.txt requirements/student.in requirements/course.in requirements/test.in pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --disable-pip-version-check -r requirements/course.txt -e .
	touch $(READY)

clean:
	rm -rf source release kit submitted autograded feedback demo pictures gradebook.db .tito
