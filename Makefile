# kcc and krun. `make test` and `make demo` do all their own set-up; both work as root and, for what can do
# without, as an ordinary user.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
SECONDS ?= 60
RELOADS ?= 10000
PYTEST_ARGS ?=
EVENTS ?= 1000
SEED ?= 1

.PHONY: help setup packages lint test quick demo fuzz fuzz-differential soak chaos bench tables wheel clean

help:
	@echo "make test      set up, then lint and run the whole suite"
	@echo "make quick     the tests that need neither namespaces nor the kernel lab"
	@echo "make demo      check, build, diff, two directors, failover, hot reload: in under a minute"
	@echo "make fuzz SECONDS=60   fuzz lexer, parser, IR loader and advert parser"
	@echo "make fuzz-differential SECONDS=60   random configurations: keepalived -t against kcc check"
	@echo "make soak RELOADS=10000   reload a director for an hour and see that it does not grow"
	@echo "make chaos EVENTS=1000 SEED=1   whatever can happen to a director, judged from outside (root)"
	@echo "make bench     compare with the installed keepalived, as ratios"
	@echo "make tables    make the PLY tables anew after a change of lexer or grammar"
	@echo "make wheel     build the wheel"

# Debian packages: the tests' peers and kernels. Without root only what is there already is used.
packages:
	@sh tests/lab/install-packages.sh

$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; $(PYTHON) is $$($(PYTHON) --version 2>&1)" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { \
	  if [ "$$(id -u)" = 0 ]; then apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq python3-venv >/dev/null; \
	  else echo "python3-venv is missing: apt-get install python3-venv" >&2; exit 1; fi; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable . --group dev
	@touch $@

setup: packages $(STAMP)

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

WIRES := tests/wire tests/krun/vrrp
# Many tests wait for a process: one worker more than there are processors.
WORKERS ?= $(shell echo $$(($$(nproc) + 1)))

# In three parts, each on all processors: what needs no kernel of its own; what has one to itself; what measures time on wires, which
# waits nearly all the time, and would not bear the others beside it.
test: setup lint
	$(BIN)/python -m pytest -q -n $(WORKERS) -m "not netns and not lab" $(PYTEST_ARGS)
	$(BIN)/python -m pytest -q -n auto --dist loadfile -m "netns or lab" $(patsubst %,--ignore=%,$(WIRES)) $(PYTEST_ARGS)
	$(BIN)/python -m pytest -n auto --dist loadfile -m "netns or lab" $(PYTEST_ARGS) $(WIRES)

quick: $(STAMP)
	$(BIN)/python -m pytest -q -n auto -m "not netns and not lab and not slow" $(PYTEST_ARGS)

demo: packages $(STAMP)
	@$(BIN)/python examples/demo/demo.py

fuzz: $(STAMP)
	$(BIN)/python fuzz/run.py --seconds $(SECONDS)

fuzz-differential: setup
	$(BIN)/python fuzz/differential.py --seconds $(SECONDS)

soak: setup
	$(BIN)/python fuzz/soak.py --reloads $(RELOADS)

chaos: setup
	$(BIN)/python fuzz/chaos.py --events $(EVENTS) --seed $(SEED)

bench: setup
	$(BIN)/python bench/run.py
	$(BIN)/python bench/ipvs.py --rounds 1

tables: $(STAMP)
	$(BIN)/python -m kcc.syntax.make_tables

wheel: $(STAMP)
	$(BIN)/python -m build --wheel --outdir dist .

clean:
	rm -rf $(VENV) dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
