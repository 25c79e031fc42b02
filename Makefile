# Two commands matter: `make demo` and `make test`. Both do all their own set-up.

# The first of these that is new enough. Name another with: make PYTHON=/path/to/python3.12 test
PYTHON ?= $(shell for each in python3 python3.13 python3.12 python3.11; do \
	"$$each" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$each" && break; done)
UV_VERSION := 0.13.9
UV := .tools/bin/uv
BIN := .venv/bin

DEMO_SECONDS ?= 60
DEMO_REPORT ?=
DEMO_FAST ?=
BENCH_JSON ?=
BENCH ?=
SEEDS ?= 0-1999
CHAOS ?=

export UV_PROJECT_ENVIRONMENT := .venv
unexport VIRTUAL_ENV

.DEFAULT_GOAL := help
.PHONY: help audit sbom demo test bench bench-outbox bench-whole bench-standing bench-plan bench-request bench-journal bench-scale bench-outage bench-waiting chaos chaos-full check format references picture tools wheel image clean

help: ## what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

demo: .venv/.ready ## a shop, a broker, both providers and the consumer, for DEMO_SECONDS=60; DEMO_REPORT=file.json, DEMO_FAST=10
	@$(BIN)/vestnik demo --seconds $(DEMO_SECONDS) $(if $(DEMO_REPORT),--report "$(DEMO_REPORT)") $(if $(DEMO_FAST),--fast $(DEMO_FAST))

test: .venv/.ready ## everything: style, types, every ring of tests, coverage of the core
	@$(BIN)/python -m scripts.test

bench: .venv/.ready ## every benchmark at a modest size on a Kafka of its own, beside a bare loop and four frameworks, with the ratios of the last time; BENCH=--compare BENCH_JSON=file.json
	@$(BIN)/python -m scripts.compiled tests.benchmarks.every $(if $(BENCH_JSON),--json "$(BENCH_JSON)") $(BENCH)

bench-outbox: .venv/.ready ## what the outbox costs: per second, in bytes, and batches out of 50,000 groups; BENCH_JSON=file.json
	@$(BIN)/python -m scripts.compiled tests.benchmarks.outbox $(if $(BENCH_JSON),--json "$(BENCH_JSON)")

bench-whole: .venv/.ready ## the whole job, one request an event and shared, beside the others; BENCH="--events 20000 --bootstrap HOST:PORT"
	@$(BIN)/python -m scripts.compiled tests.benchmarks.whole --coalesced 20000 $(BENCH)

bench-standing: .venv/.ready ## memory, start, latency at 100 events a second, a journal of a million commands; BENCH="--bootstrap HOST:PORT"
	@$(BIN)/python -m scripts.compiled tests.benchmarks.standing $(BENCH)

bench-plan: .venv/.ready ## what an event costs from bytes to commands, with the shipped catalogue; BENCH_JSON=file.json
	@$(BIN)/python -m scripts.compiled tests.benchmarks.plan $(if $(BENCH_JSON),--json "$(BENCH_JSON)")

bench-waiting: .venv/.ready ## what a command costs while it waits, in bytes and in CPU; BENCH_JSON=file.json
	@$(BIN)/python -m scripts.compiled tests.benchmarks.waiting $(if $(BENCH_JSON),--json "$(BENCH_JSON)")

bench-request: .venv/.ready ## what one request costs, beside a bare post of aiohttp; BENCH_JSON=file.json
	@$(BIN)/python -m scripts.compiled tests.benchmarks.request $(if $(BENCH_JSON),--json "$(BENCH_JSON)")

bench-journal: .venv/.ready ## what a request costs in the journal, written and read back, and a start with a long one; BENCH_JSON=file.json
	@$(BIN)/python -m scripts.compiled tests.benchmarks.journal $(if $(BENCH_JSON),--json "$(BENCH_JSON)")

bench-scale: .venv/.ready ## one, two and four processes on a shared lane, over a real Kafka; BENCH="--rounds 5 --bootstrap HOST:PORT"
	@$(BIN)/python -m scripts.compiled tests.benchmarks.scale $(BENCH)

bench-outage: .venv/.ready ## an hour without the provider at ten times the traffic, in virtual time: memory and what is lost; BENCH_JSON=file.json
	@$(BIN)/python -m tests.benchmarks.outage $(if $(BENCH_JSON),--json "$(BENCH_JSON)")

chaos: .venv/.ready ## thirty minutes of the fault matrix: rows measured into tests/chaos/results.jsonl; CHAOS=--resume
	@$(BIN)/python -m tests.chaos --selection $(CHAOS)

chaos-full: .venv/.ready ## every row of the fault matrix, hours; goes on after the rows that have passed on this commit
	@$(BIN)/python -m tests.chaos --full --resume $(CHAOS)

worlds: .venv/.ready ## 2,000 simulated worlds and every planted bug, on all cores; goes on where it was broken off; SEEDS=A-B
	@$(BIN)/python -m tests.world --seeds $(SEEDS) --mutants --resume --report

check: .venv/.ready ## style, types and tidiness; no other test
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/pytest -q tests/test_tidy.py

format: .venv/.ready ## rewrite the sources in the house style
	@$(BIN)/ruff check --fix-only .
	@$(BIN)/ruff format .

image: ## the image, built without Docker by buildah, and looked at; PYTHON_IMAGE=python:3.12-slim-bookworm takes another base
	@PYTHON_IMAGE="$(PYTHON_IMAGE)" bash scripts/image.sh

audit: .venv/.ready ## known holes in what the lock installs; fails where they cannot be looked up
	@$(BIN)/python -m scripts.audit

sbom: .venv/.ready ## what the lock installs, as CycloneDX, into dist/sbom.json
	@mkdir -p dist
	@$(BIN)/python -m scripts.audit --sbom dist/sbom.json

references: .venv/.ready ## write docs/reference/, schemas/json/, rules and dashboards anew from the sources
	@$(BIN)/python -m scripts.reference
	@$(BIN)/python -m scripts.observability
	@$(BIN)/python -m schemas.generate
	@$(BIN)/python -m tests.chaos.table
	@$(BIN)/python -m scripts.asyncapi
	@$(BIN)/python -m scripts.event_pages

picture: .venv/.ready ## docs/images/page.png anew: the page of a demo, in Chromium
	@$(BIN)/python -m scripts.picture

wheel: .venv/.ready ## dist/*.whl with the core as machine code, for this Python and machine; PLAIN=1: in plain Python, for all
	@HATCH_BUILD_HOOK_ENABLE_CUSTOM=$(if $(filter-out 0,$(PLAIN)),false,true) $(BIN)/python -m hatchling build --target wheel

tools: ## what some rings need and a plain machine lacks, by apt
	@PYTHON="$(PYTHON)" bash scripts/tools.sh

clean: ## remove everything that was made here
	rm -rf .venv .tools .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage .coverage.* htmlcov dist build
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# uv makes the environment from the lock; a virtual environment of its own brings uv, so that nothing else must be here.
$(UV):
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
		{ echo "Vestnik needs Python 3.11 or newer. Name one with: make PYTHON=/path/to/python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@"$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo "This Python cannot make virtual environments. On Debian or Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@echo "Setting up, once, in .tools and .venv" >&2
	@rm -rf .tools
	@"$(PYTHON)" -m venv .tools
	@.tools/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION) || \
		{ echo "uv could not be installed by pip: is a package index within reach?" >&2; exit 1; }

.venv/.ready: $(UV) pyproject.toml uv.lock
	@$(UV) sync --quiet --frozen --all-extras --python .tools/bin/python
	@touch $@
