# `make` alone lists the targets. Every target sets up what it needs.
SHELL := /bin/bash
.DEFAULT_GOAL := help

# What targets take: make backfill SUBSET=1k LAKE=./lake
LAKE ?= ./lake
SUBSET ?= 1k
CONCURRENCY ?= 2
WORKERS ?= 2
NAME ?= nightly
CRON ?= 0 3 * * *
ZONE ?= UTC
SEED ?= 1
RUNS ?= 5
DIR ?=

IRLAKE := node bin/irlake.js

# The decoder's AssemblyScript sources, the module made from them (checked in), and what makes it.
DECODER := infra/adapters/images/vp8l
DECODER_MODULE := $(DECODER)/module.generated.ts
DECODER_SCRIPT := infra/scripts/write-picture-module.js
DECODER_SOURCES := $(filter-out $(DECODER_MODULE),$(wildcard $(DECODER)/*.ts))

SOURCES := $(filter-out $(DECODER_SOURCES),$(shell find schemas pipelines workers infra test -name '*.ts'))

.PHONY: help setup decoder demo
.PHONY: test quick test-minio test-spark chaos lint
.PHONY: docs bench bench-fleet hub sample
.PHONY: backfill status backfill-fleet worker enqueue schedule services services-stop
.PHONY: clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  %-15s %s\n", $$1, $$2}'

# Setting up

setup: node_modules/.ready dist/.ready ## install packages and compile what changed

node_modules/.ready: package.json package-lock.json
	npm ci --ignore-scripts --no-audit --no-fund
	@touch $@

dist/.ready: node_modules/.ready $(SOURCES) $(DECODER_MODULE) tsconfig.json
	npx tsc -p tsconfig.json
	@touch $@

decoder: $(DECODER_MODULE) ## build the picture decoder's WebAssembly module

# Git does not keep times, so a fresh clone builds it once more: the same sources give the same bytes.
$(DECODER_MODULE): $(DECODER_SOURCES) $(DECODER_SCRIPT) | node_modules/.ready
	node $(DECODER_SCRIPT)
	@touch $@

demo: setup ## make samples, serve them like the Hub, mirror and query them
	@test/tools/demo/demo.sh

# Testing

test: setup ## all tests; sets up Python, Redis and an S3 server first
	@infra/scripts/python-env.sh >/dev/null || echo "note: no Python environment; its tests are skipped"
	@infra/scripts/redis.sh install >/dev/null || echo "note: no Redis; the tests of the queue are skipped"
	@infra/scripts/s3-server.sh install versitygw >/dev/null || echo "note: no S3 server; its tests are skipped"
	@infra/scripts/test.sh

quick: setup ## the tests that need no Python and no service
	@infra/scripts/test.sh /test/unit/ /test/conformance/

test-minio: setup ## the S3 tests against MinIO
	@infra/scripts/python-env.sh >/dev/null || echo "note: no Python environment; its tests are skipped"
	@infra/scripts/s3-server.sh install minio >/dev/null || echo "note: no MinIO; its tests are skipped"
	@IRLAKE_TEST_S3=minio infra/scripts/test.sh /s3- conformance/store.test

test-spark: setup ## Spark reads the lake; needs Java, downloads its jars
	@test/tools/demo/test-spark.sh

chaos: setup ## kill workers and crash Redis during a mirror: SEED=1
	node dist/test/fleet/main.js --seed $(SEED)

lint: setup ## lint, types, dead code
	npm run -s lint && npm run -s types && npm run -s dead-code

# Writing pages, measuring, tools

docs: setup ## write docs/codes.md and docs/commands.md from the code
	node dist/test/tools/docs/write.js

bench: setup ## measure speed beside others, write docs/benchmarks.md: RUNS=5
	@infra/scripts/bench.sh $(RUNS)

bench-fleet: setup ## measure two queue workers against one process
	node dist/test/tools/bench/fleet.js

hub: setup ## serve a folder as the Hub does: make hub DIR=…
	npm run -s hub -- $(DIR)

sample: setup ## write sample data: make sample DIR=…
	npm run -s sample -- $(DIR)

# Mirroring

backfill: setup ## mirror from the Hub: make backfill SUBSET=1k LAKE=./lake
	$(IRLAKE) mirror --subset $(SUBSET) --lake $(LAKE)

status: setup ## show the lake, and the queue's runs, shards and workers
	$(IRLAKE) status --lake $(LAKE)

backfill-fleet: setup ## mirror by queue workers on this machine: WORKERS=2
	@infra/scripts/backfill-fleet.sh $(SUBSET) $(LAKE) $(WORKERS)

worker: setup ## run a queue worker; REDIS_URL names the queue: CONCURRENCY=2
	$(IRLAKE) worker --concurrency $(CONCURRENCY)

enqueue: setup ## queue a mirror: make enqueue SUBSET=1k LAKE=./lake
	$(IRLAKE) enqueue --subset $(SUBSET) --lake $(LAKE)

schedule: setup ## mirror regularly: NAME=nightly CRON='0 3 * * *' ZONE=UTC
	$(IRLAKE) schedule set $(NAME) --cron '$(CRON)' --tz $(ZONE) --subset $(SUBSET) --lake $(LAKE)

services: ## start Redis and an S3 server on this machine, for development
	@infra/scripts/services.sh start

services-stop: ## stop what make services started
	@infra/scripts/services.sh stop

clean: ## remove what was compiled, cached and installed
	rm -rf dist .cache node_modules
