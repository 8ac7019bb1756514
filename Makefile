# Everything a clone needs, in one virtual environment. `make help` lists the targets.

PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
INSTALLED = $(VENV)/installed

# Each worker begins with a stretch of the tests and takes from the others when it is done, so that
# most fixtures of a module or a package are made in one of them only.
PYTEST = $(BIN)/python -m pytest -n auto --dist worksteal

# What is neither a package nor a test, but is checked like one.
SCRIPTS = tests/audio.py tests/conftest.py docs benchmarks

# Python keeps what it has compiled, whatever the environment says: tests start many processes.
export PYTHONDONTWRITEBYTECODE =

.PHONY: help install demo test slow test-cluster bare lint types format format-check check bench clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 15

install: $(INSTALLED) ## create the virtual environment

$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[dev]'
	@touch $@

demo: $(INSTALLED) ## generate a small library under demo/, import it into beets, query it and look up labels
	$(BIN)/python docs/demo/demo.py $(DEMO_ARGS)

test: $(INSTALLED) ## run the tests
	$(PYTEST) $(PYTEST_ARGS)

slow: $(INSTALLED) ## run the tests that are left out by default, because they take minutes
	$(PYTEST) -m slow $(PYTEST_ARGS)

test-cluster: $(INSTALLED) ## start a real SLURM on this machine and test the batch files (root; installs Debian's slurm-wlm and munge)
	@if ! command -v slurmctld >/dev/null || ! command -v munged >/dev/null; then \
		if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
			apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q slurm-wlm munge || \
				echo "test-cluster: slurm-wlm and munge cannot be installed"; \
		else echo "test-cluster: needs slurm-wlm and munge, which only root can install"; fi; \
	fi
	$(BIN)/python -m pytest -m cluster tests/cluster $(PYTEST_ARGS)

bare: $(INSTALLED) ## build the wheel, install it without extras and try it there
	$(BIN)/python -m pytest -m install tests/install $(PYTEST_ARGS)

lint: $(INSTALLED) ## lint
	$(BIN)/ruff check .

types: $(INSTALLED) ## check types
	$(BIN)/mypy
	MYPYPATH=benchmarks $(BIN)/mypy $(SCRIPTS)

format: $(INSTALLED) ## format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

format-check: $(INSTALLED)
	$(BIN)/ruff format --check .

check: format-check lint types test ## format check, lint, types, tests: what a change must pass

bench: $(INSTALLED) ## run the benchmarks (half an hour; adds autobpm's dependencies)
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[dev,benchmarks]'
	for name in startup decode memory autobpm labels; do $(BIN)/python benchmarks/$$name.py || exit 1; done

clean: ## remove everything generated, the virtual environment included
	rm -rf $(VENV) demo build dist .pytest_cache .mypy_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
