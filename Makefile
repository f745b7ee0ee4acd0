# One word per act. `make help` lists them.
PYTHON ?= python3
BIN := .venv/bin
export FITWRIGHT_HOME ?= .fitwright

.DEFAULT_GOAL := help
.PHONY: help setup demo test check bench zoo zoo-real serve clean

help: ## list the acts
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 16

setup: .venv/ready ## virtual environment with pinned dependencies; leaves .venv/bin/fitwright

.venv/ready: requirements.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

demo: setup ## the main job: train LeNet-5 on MNIST, fit it to half its latency over REST, show the result
	$(BIN)/python -m examples.demo $(DEMO)

test: setup ## every test (those of PostgreSQL, Chromium, Fashion-MNIST where these are installed)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m "not slow" -n 2 --dist loadfile --no-loadscope-reorder -rs

check: setup ## style, types and import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -m mypy
	$(BIN)/lint-imports

bench: setup ## figures, as ratios within one run, and the slow proofs
	$(BIN)/python -m benchmarks
	$(BIN)/python -m pytest -m slow -rs

zoo: setup ## the coverage table: what holds for each architecture, with torch-pruning beside it
	$(BIN)/python -m benchmarks zoo

zoo-real: setup ## the same of real architectures: every torchvision classifier, timm families, transformers (an hour)
	$(BIN)/python -m pip install --quiet --no-deps --upgrade --target .real -r benchmarks/real-requirements.txt
	$(BIN)/python -m benchmarks.real_models $(ZOO)

serve: setup ## the service with its pages on http://127.0.0.1:8077
	$(BIN)/fitwright serve

clean: ## remove what can be made again
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache
