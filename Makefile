# A menu over the command line: every recipe is one line, and CI calls the same targets.
SHELL := /bin/sh
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.axhil-ready
OUT ?= out

.DEFAULT_GOAL := help
.PHONY: help setup lut eval verify train test fuzz lint bench docs clean

help: ## Show this menu
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# Reinstalls when what is installed could have changed, and never otherwise.
$(READY): pyproject.toml constraints.txt CMakeLists.txt scripts/setup.sh $(wildcard */native/*.[ch]pp */*/native/*.[ch]pp)
	@PYTHON=$(PYTHON) scripts/setup.sh

setup: $(READY) ## Make .venv, install axhil and its pinned dependencies, and Icarus Verilog

lut: $(READY) ## Verilog to tables: simulate the paper's seven multipliers exhaustively
	$(BIN)/axhil lut --out $(OUT)/luts --check-golden

eval: lut ## The main job: tables from RTL, LeNet-5 from tables, three attacks on it
	$(BIN)/axhil study run studies/quick.toml --luts $(OUT)/luts --out $(OUT)

verify: $(READY) ## The hardware regression gate: re-simulate the RTL, compare with the golden tables
	$(BIN)/axhil verify

train: $(READY) ## Train LeNet-5 anew on MNIST (needs AXHIL_DATA)
	$(BIN)/axhil train lenet5 --out-file $(OUT)/lenet5.safetensors

test: $(READY) ## All tests, simulator tests included
	$(BIN)/python -m pytest -n 2 --dist worksteal

fuzz: $(READY) ## Broken and hostile inputs to every command, for minutes
	$(BIN)/python -W ignore scripts/fuzz.py

lint: $(READY) ## ruff and mypy
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy

bench: $(READY) ## Speed of every path, as ratios within one run
	$(BIN)/python -m benchmarks --out $(OUT)/bench.json

docs: $(READY) ## The documentation site into site/: offline, every warning an error, no dead link
	$(BIN)/python -m zensical build --strict --clean && $(BIN)/python scripts/check_links.py site

clean: ## Remove results and caches, keep .venv
	rm -rf $(OUT) build site .cache .pytest_cache .mypy_cache .ruff_cache .hypothesis
