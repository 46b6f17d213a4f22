# smlab: two commands matter, `make run` and `make test`. Everything is installed into .venv, nothing else.
PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3)
BIN := .venv/bin
READY := .venv/.ready
JOBS ?=
# Tests on all cores, each with one thread: two that share their cores only wait for each other.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(or $(JOBS),auto) --dist loadfile
# The environment's own kernel wins over kernels of the same name that the user registered elsewhere.
export JUPYTER_PREFER_ENV_PATH := 1

.DEFAULT_GOAL := help
.PHONY: help run test test-all check format lab data lock clean

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 18

$(READY): requirements.lock pyproject.toml tools/venv.py
	@$(PYTHON) tools/venv.py
	@touch $@

run: $(READY)  ## environment, real data, every notebook, reports, runs/index.html
	@$(BIN)/smlab run --all $(if $(JOBS),--jobs $(JOBS))

test: $(READY)  ## the tests (slow ones: make test-all)
	@$(PYTEST) -m "not slow"
	@echo "All tests passed. Slow ones too: make test-all. Style and types: make check."

test-all: $(READY)  ## every test, slow ones too
	@$(PYTEST)

check: $(READY)  ## ruff for code and notebooks, types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@echo "Style and types are fine."

format: $(READY)  ## let ruff mend what it can
	@$(BIN)/ruff check --fix . ; $(BIN)/ruff format .

lab: $(READY)  ## JupyterLab on the notebooks
	@$(BIN)/jupyter lab --ServerApp.root_dir=. --LabApp.default_url=/lab/tree/notebooks

data: $(READY)  ## fetch the data of the default runs
	@$(BIN)/smlab data get ml-100k

lock:  ## solve pyproject.toml anew and write requirements.lock
	@$(PYTHON) tools/venv.py --lock

clean:  ## remove the environment and the caches of tools (runs and data stay)
	rm -rf .venv .pytest_cache .ruff_cache .mypy_cache .hypothesis *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
