.DEFAULT_GOAL := help
PY ?= python3
BIN := .venv/bin

.PHONY: help
help: ## Print this message
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.venv/ready: pyproject.toml
	$(PY) -m venv .venv
	$(BIN)/pip install -q -U "pip>=25.1"
	$(BIN)/pip install -q -e . --group dev --group docs
	@touch $@

.PHONY: demo
demo: .venv/ready ## Run the main job: 1,000 signed webhooks, one worker killed half-way
	$(BIN)/python examples/demo.py

# The tests of the web frameworks build an environment for each in .venvs, once.
.PHONY: test
test: .venv/ready ## Run the whole test suite on all cores
	$(BIN)/pytest -q -n auto

.PHONY: stress
stress: .venv/ready ## Put the store under faults in many processes, and check what they saw
	$(BIN)/fencepost stress --profile ci

# mkdocs-material prints an advertisement for its successor unless told not to.
MKDOCS := NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

.PHONY: docs
docs: .venv/ready ## Build the documentation site in site/
	$(MKDOCS)
	@echo "site/index.html"

.PHONY: check
check: .venv/ready ## Lint, types, import layers, the documentation site
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(MKDOCS)

.PHONY: bench
bench: .venv/ready ## Measure beside raw SQLite, and print the ratios behind the defaults
	$(BIN)/fencepost bench --rounds 3
	$(BIN)/python bench/flat.py --rounds 3 --seconds 1
	$(BIN)/python bench/processes.py --processes 1 4 --seconds 1
	$(BIN)/python bench/gate.py
	$(BIN)/python bench/transaction.py
	$(BIN)/python bench/lanes.py
	$(BIN)/python bench/joins.py
	$(BIN)/python bench/latency.py
	$(BIN)/python bench/sleepers.py --sleepers 2000 --waiters 2000 --answers 20 --seconds 2
	$(BIN)/python bench/waiting.py
	$(BIN)/python bench/ingest.py
	$(BIN)/python bench/keyed.py --small
	$(BIN)/python bench/listing.py 100000

# The queues are installed in .venvs/peers. Redis is the machine's; what cannot be had is left out.
.PHONY: bench-peers
bench-peers: .venv/ready ## Measure beside other queues, in some twenty minutes
	$(BIN)/python -m bench.peers

.PHONY: plots
plots: .venv/ready ## Draw docs/performance/*.svg from bench/results/*.json
	$(BIN)/pip install -q --group bench
	$(BIN)/python bench/plot.py

.PHONY: cover
cover: .venv/ready ## Run the tests with branch coverage of every process
	rm -f .coverage*
	$(BIN)/coverage run -m pytest -q
	$(BIN)/coverage combine -q
	$(BIN)/coverage report
