# make alone lists the targets. Every target sets up what it needs.
SHELL := /bin/bash
LAKE ?= ./lake
SUBSET ?= 1k
IRLAKE := node bin/irlake.js

CONCURRENCY ?= 2

.PHONY: bench-fleet worker enqueue schedule status backfill-fleet services services-stop chaos
.PHONY: help setup demo test test-minio quick bench backfill hub sample lint docs clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  %-15s %s\n", $$1, $$2}'

setup: node_modules/.ready dist/.ready ## install packages and compile

node_modules/.ready: package.json package-lock.json
	npm ci --ignore-scripts --no-audit --no-fund
	@touch $@

dist/.ready: node_modules/.ready $(shell find schemas pipelines workers infra test -name '*.ts') tsconfig.json
	npx tsc -p tsconfig.json
	@touch $@

demo: setup ## make samples, serve them as the Hub does, mirror them, query the lake
	@infra/scripts/demo.sh

test: setup ## all tests; python, its packages and an S3 server are set up first
	@infra/scripts/python-env.sh >/dev/null || echo "note: no Python environment; its tests are skipped"
	@infra/scripts/redis.sh install >/dev/null || echo "note: no Redis; the tests of the queue are skipped"
	@infra/scripts/s3-server.sh install versitygw >/dev/null || echo "note: no S3 server; its tests are skipped"
	@infra/scripts/test.sh

test-minio: setup ## the S3 tests against MinIO
	@infra/scripts/python-env.sh >/dev/null || echo "note: no Python environment; its tests are skipped"
	@infra/scripts/s3-server.sh install minio >/dev/null || echo "note: no MinIO; its tests are skipped"
	@IRLAKE_TEST_S3=minio infra/scripts/test.sh /s3- conformance/store.test

quick: setup ## the tests that need no Python and no other process
	@NODE_OPTIONS=--experimental-vm-modules npx jest dist/test/unit dist/test/conformance

test-spark: setup ## Spark reads the lake as docs/consumers.md says; needs Java, fetches its jars
	@infra/scripts/test-spark.sh

RUNS ?= 5

bench: setup ## speed beside a C loop, a shell pipeline and a Python script; writes docs/benchmarks.md
	@node dist/test/tools/bench/bench.js --only all --runs $(RUNS); code=$$?; \
	if [ -f dist/test/tools/bench/upload.js ]; then node dist/test/tools/bench/upload.js || code=1; fi; \
	node dist/test/tools/bench/write-page.js && exit $$code

backfill: setup ## mirror from the Hub: make backfill SUBSET=1k LAKE=./lake
	$(IRLAKE) mirror --subset $(SUBSET) --lake $(LAKE)

worker: setup ## one queue worker: make worker CONCURRENCY=2 (REDIS_URL says where the queue is)
	$(IRLAKE) worker --concurrency $(CONCURRENCY)

enqueue: setup ## put a mirror on the queue: make enqueue SUBSET=1k LAKE=./lake
	$(IRLAKE) enqueue --subset $(SUBSET) --lake $(LAKE)

schedule: setup ## mirror at recurring times: make schedule NAME=nightly CRON='0 3 * * *' ZONE=Europe/Berlin
	$(IRLAKE) schedule set $(or $(NAME),nightly) --cron '$(or $(CRON),0 3 * * *)' --tz $(or $(ZONE),UTC) --subset $(SUBSET) --lake $(LAKE)

status: setup ## the lake, and the queue's runs, shards and workers
	$(IRLAKE) status --lake $(LAKE)

backfill-fleet: setup ## mirror by workers on this machine, to its end: make backfill-fleet SUBSET=8k LAKE=./lake WORKERS=2
	@infra/scripts/backfill-fleet.sh $(SUBSET) $(LAKE) $(or $(WORKERS),2)

services: ## start what a fleet needs on this machine, for development
	@infra/scripts/services.sh start

services-stop: ## stop what make services started
	@infra/scripts/services.sh stop

chaos: setup ## kill workers, crash and empty the queue under a mirror of 36 shards, and compare the lakes: SEED=1
	node dist/test/fleet/main.js --seed $(or $(SEED),1)

bench-fleet: setup ## two workers of a core each against one process on both, and what the queue itself costs
	node dist/test/tools/bench/fleet.js

hub: setup ## serve a folder as the Hub does: make hub DIR=…
	npm run -s hub -- $(DIR)

sample: setup ## write sample data: make sample DIR=…
	npm run -s sample -- $(DIR)

lint: setup ## lint, types, dead code
	npm run -s lint && npm run -s types && npm run -s dead-code

docs: setup ## write docs/codes.md and docs/commands.md from their tables
	node dist/test/tools/docs/write.js

clean: ## remove what was compiled and cached
	rm -rf dist .cache node_modules
