# Atrium's everyday commands; `make` lists them. Works with Node 20 and npm on the machine: the pinned Node comes with `npm ci`.

NODE := ./node_modules/.bin/node
.DEFAULT_GOAL := help
.PHONY: help setup demo test check bench up down logs ps restart build clean

help: ## List these commands
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1|\2/p' Makefile | awk -F'|' '{ printf "%-14s %s\n", $$1, $$2 }'

setup: node_modules/.package-lock.json ## Install the packages, if they are not there or not the right ones

# npm's own note of what it installed: older than the lock means that the lock has changed since.
node_modules/.package-lock.json: package-lock.json
	@echo "npm ci"
	@npm ci --no-audit --no-fund --loglevel=error
	@touch $@

demo: setup ## Generate 8 rooms x 3 days, run it all, print KPIs, serve the API (Ctrl-C ends it)
	@./bin/demo

test: setup ## Run all tests (those on KETI where KETI_DIR or ../shared/data/keti is there)
	@$(NODE) --test --test-concurrency=2 'test/**/*.test.ts'

check: setup ## Check format, lint and types, and run the fast tests: seconds
	@PATH="$(CURDIR)/node_modules/.bin:$$PATH" npm run --silent check

bench: setup ## Measure speed and memory, as ratios against the stored baseline
	@$(NODE) --disable-warning=ExperimentalWarning bench/main.ts

# Containers. PROFILE: default (Atrium alone), kafka (with Kafka and its page), full (with Kafka, S3, Spark and Airflow).
# Without it COMPOSE_PROFILES of .env holds, else default.
COMPOSE ?= docker compose
compose = $(if $(PROFILE),COMPOSE_PROFILES=$(PROFILE) )$(COMPOSE)

up: ## Start containers, PROFILE=default, kafka or full, and wait until they answer (settings in .env)
	@./containers/credentials
	$(compose) up --detach --wait

down: ## Stop and remove the containers of every PROFILE; their volumes stay
	COMPOSE_PROFILES=full $(COMPOSE) down --remove-orphans

logs: ## Follow the logs of the containers
	$(compose) logs --follow --tail=100

ps: ## List the containers and their health
	$(compose) ps --all

restart: ## Stop and start the containers of PROFILE
	$(compose) restart

build: ## Build the images of PROFILE
	@./containers/credentials
	$(compose) build

clean: ## Remove what the demo and the tests left here (not ./lake)
	rm -rf demo coverage
