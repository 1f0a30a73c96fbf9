# Everything here works on a machine with Python 3.11, Linux, and root or a Docker engine; nothing else is assumed.
# `make help` lists the targets.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules

PYTHON ?= python3
VENV := $(CURDIR)/.venv
BIN := $(VENV)/bin
PYTEST := $(BIN)/pytest
PURE := tests/pure tests/server tests/worker
REAL := tests/api tests/chart tests/hack tests/cluster
# Options of the tool that a target runs, as in `make test-pure ARGS='-k queue -x'`.
ARGS ?=
CLUSTER_ENV = cluster="$$(hack/cluster env)" && eval "$$cluster"
NAMESPACE ?= modelwright-system
RELEASE ?= modelwright
CHART := charts/modelwright

##@ Develop

.PHONY: help
help: ## Show this.
	@awk 'BEGIN {FS = ":.*## "} /^##@ / {printf "\n%s\n", substr($$0, 5)} \
	  /^[a-z-]+:.*## / {printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: venv
venv: ## Make .venv from requirements/dev.lock; quick when nothing has changed.
	@PYTHON=$(PYTHON) hack/venv $(VENV)

.PHONY: lock
lock: venv ## Resolve requirements/*.in into *.lock (ARGS=--upgrade takes newer versions).
	$(BIN)/python hack/lock $(ARGS)

.PHONY: generate
generate: venv ## Make crds/ and the chart's copy of it from the API's models.
	$(BIN)/python -m modelwright.crdgen
	hack/chart-crds

.PHONY: format
format: venv ## Format the code.
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format --quiet .

.PHONY: lint
lint: venv ## Check style, types, layers, and that generated files are fresh.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m modelwright.crdgen --check
	hack/chart-crds --check
	PYTHON=$(BIN)/python hack/proto --check
	hack/words

##@ Test

.PHONY: test
test: venv ## Everything once: what needs nothing first, then API server, chart, and cluster.
	$(PYTEST) $(PURE) $(REAL) $(ARGS)

.PHONY: test-pure
test-pure: venv ## What needs neither a cluster nor helm: a minute.
	$(PYTEST) $(PURE) $(ARGS)

.PHONY: test-api
test-api: venv ## CRDs and the operator against a real API server, without a node.
	$(PYTEST) tests/api $(ARGS)

.PHONY: test-cluster
test-cluster: venv ## The other half of `make test`: what needs a cluster or its programs.
	$(PYTEST) $(REAL) $(ARGS)

.PHONY: test-full
test-full: venv ## The long forms too.
	MODELWRIGHT_TEST_FULL=1 $(PYTEST) $(PURE) $(REAL) $(ARGS)

.PHONY: bench
bench: venv ## From four manifests to the first prediction, on the cluster of `make cluster-up install`.
	$(CLUSTER_ENV) && $(BIN)/python benchmarks/chain.py $(ARGS)

.PHONY: bench-serving
bench-serving: venv ## Our model server and its peers beside each other (ARGS=--quick: two minutes).
	$(BIN)/python benchmarks/serving.py $(ARGS)

##@ Run

.PHONY: images
images: ## Build the images of operator, worker and server.
	hack/images build

.PHONY: cluster-up
cluster-up: ## Bring up a cluster on this machine (docs/cluster.md).
	hack/cluster up

.PHONY: cluster-down
cluster-down: ## Remove it and all that it left.
	hack/cluster down

.PHONY: install
install: ## Install the chart with the images of this checkout into the cluster of `make cluster-up`.
	$(CLUSTER_ENV) && hack/images push >/dev/null && hack/install --namespace $(NAMESPACE) --release $(RELEASE) $(ARGS)

.PHONY: uninstall
uninstall: ## Remove the chart's release; the CRDs and what users made stay.
	$(CLUSTER_ENV) && helm uninstall $(RELEASE) --namespace $(NAMESPACE) --wait

.PHONY: demo
demo: venv ## From nothing to a prediction over HTTP, and round the loop, on a cluster of this machine.
	$(BIN)/python hack/demo

.PHONY: demo-down
demo-down: ## Remove what the demo brought up.
	hack/cluster down
