# make app: the page; make test lint bench: for developers. PYTHON chooses the interpreter.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: app test lint bench clean

app: $(VENV)/.runtime
	$(BIN)/python app.py

test: $(VENV)/.development
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile

lint: $(VENV)/.development
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(VENV)/.development
	$(BIN)/python -m benchmarks.exactness
	$(BIN)/python -m benchmarks.explained_variance
	$(BIN)/python -m benchmarks.full_game
	$(BIN)/python -m benchmarks.sampling
	$(BIN)/python -m benchmarks.scaling
	$(BIN)/python -m benchmarks.page
	$(BIN)/python -m benchmarks.search
	$(BIN)/python -m benchmarks.video
	$(BIN)/python -m benchmarks.training_step
	$(BIN)/python -m benchmarks.path_merge
	$(BIN)/python -m benchmarks.prediction_head

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.runtime: requirements.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet -r requirements.txt
	touch $@

$(VENV)/.development: requirements-dev.txt requirements-train.txt $(VENV)/.runtime
	$(BIN)/python -m pip install --quiet -r requirements.txt -r requirements-train.txt -r requirements-dev.txt
	touch $@

clean:
	rm -rf $(VENV)
