# make demo      set everything up and serve a demonstration
# make check     format, lint, types, C++ and Python tests: for daily work
# make test      set everything up and run all kinds of tests
# make test-all  the same without choosing: all Python tests under the sanitizers and with every Python found
# make test-load 100,000 requests while workers are replaced, killed and given new certificates
# The rest: build test-cpp test-python test-apps test-apps-light lint sanitize fuzz test-packaging test-other-python test-all-pythons
#           tidy format bench conformance docs docs-links docs-pictures docs-plots wheel dist clean
SHELL := /bin/bash
unexport MAKEFLAGS # or ninja looks for a job server that make has closed to it
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:

PYTHON ?= python3
FUZZ_SECONDS ?= 12
# The long form: each client comes back so often, or until the seconds are over.
SOAK_CYCLES ?= 1000
SOAK_SECONDS ?= 3600
BIN := .venv/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)
ifneq ($(shell command -v ccache),)
export CMAKE_C_COMPILER_LAUNCHER := ccache
export CMAKE_CXX_COMPILER_LAUNCHER := ccache
# Paths below this folder do not count: or a clone at another path would find nothing.
export CCACHE_BASEDIR := $(CURDIR)
export CCACHE_NOHASHDIR := 1
endif

SOURCES := $(shell find CMakeLists.txt cpp python vendor -type f -not -path '*/source/*' -not -name '*.pyc')
STAGE := tests/tools/stage.sh
STEP := tests/tools/step.sh
PIP := $(BIN)/python -m pip install -q --disable-pip-version-check

.PHONY: build demo check test test-all test-cpp test-python test-apps test-apps-light test-autobahn lint sanitize asan asan-python tsan fuzz soak-topics test-load \
  test-packaging test-other-python test-all-pythons build-dev build-asan build-asan-python build-tsan tidy format bench conformance \
  docs docs-links docs-pictures docs-plots wheel dist clean

build: .make/installed

demo: build
	@exec $(BIN)/python examples/demo.py

# ---- setting up ----------------------------------------------------------------------------------------------

.make/system-%: tests/tools/system_packages.sh
	@mkdir -p .make
	@$(STEP) "Looking for compilers and other system packages ($*)" env PYTHON=$(PYTHON) $< $*
	@touch $@

.make/venv: pyproject.toml | .make/system-build
	@test -x $(BIN)/python || $(STEP) "Making a Python environment in .venv" $(PYTHON) -m venv .venv
	@$(STEP) "Updating pip" $(PIP) -U 'pip>=25.1'
	@$(STEP) "Installing build tools (CMake, Ninja, pybind11)" $(PIP) --group build
	@touch $@

# What only `make test` and its parts need.
.make/dev: .make/venv | .make/system-test
	@$(STEP) "Installing test tools (pytest, mypy, ruff, ...)" $(PIP) --group dev
	@touch $@

.make/docs: .make/venv
	@$(STEP) "Installing what builds the documentation (Sphinx)" $(PIP) --group docs
	@touch $@

.make/plots: .make/venv
	@$(STEP) "Installing what draws the benchmarks (matplotlib)" $(PIP) --group plots
	@touch $@

.make/installed: .make/venv $(SOURCES)
	@$(STEP) "Building and installing httpuv (a minute or two on two cores)" $(BIN)/python -m pip install -v \
	  --disable-pip-version-check --no-build-isolation --no-deps --force-reinstall \
	  -Cbuild-dir=build/python -Ccmake.define.HTTPUV_WERROR=ON .
	@touch $@

# ---- testing -------------------------------------------------------------------------------------------------

# Two phases: what fills the processors comes first, so that tests which watch a clock do not share them with compilers.
# What is built apart is a part too, so that the summary names what did not compile. The long ones first.
BUILDS := build-asan build-tsan fuzz test-packaging docs lint
# The C++ tests run under the sanitizers; the plain build of them (test-cpp) is part of `make check`. The Python tests
# under them need the extension once more, which takes too long on two processors: `make sanitize`, `make test-all`.
TESTS := test-python test-other-python asan tsan test-autobahn test-apps-light
CHECKS := test-python test-cpp
# Makes the parts of both phases, some at a time since most of them wait much. A part that fails stops no other.
run_parts = export QUIET=1; $(STAGE) --forget $(1) $(2); \
  $(MAKE) --no-print-directory -k -j3 $(3) $(1) || true; \
  $(MAKE) --no-print-directory -k -j2 $(3) $(2) || true; $(STAGE) --summary $(1) $(2)

check: .make/dev .make/installed
	@$(call run_parts,build-dev lint,$(CHECKS),)

# The set-up is not parallel: it says what it does. If it fails, the parts that need it are the ones not run.
set_up = $(MAKE) --no-print-directory .make/dev || true; $(MAKE) --no-print-directory .make/installed || true

test:
	@$(set_up)
	@$(call run_parts,$(BUILDS),$(TESTS),)

test-all:
	@$(set_up)
	@$(call run_parts,$(BUILDS) build-asan-python build-dev,$(TESTS) asan-python test-cpp test-all-pythons,SCOPE=all)

build-dev: .make/dev
	@$(STAGE) build-dev tests/tools/build.sh dev

build-asan: .make/dev
	@$(STAGE) build-asan tests/tools/build.sh asan-ubsan

build-asan-python: .make/dev
	@$(STAGE) build-asan-python tests/tools/build.sh asan-python

build-tsan: .make/dev
	@$(STAGE) build-tsan tests/tools/build.sh tsan

lint: .make/dev
	@$(STAGE) lint tests/tools/lint.sh

test-cpp: build-dev
	@$(STAGE) test-cpp ctest --preset dev --parallel 3

test-python: .make/dev .make/installed
	@$(STAGE) test-python python -m pytest -q -n auto tests/python

# Applications of real frameworks, in a separate environment; test-apps: the large ones, too.
test-apps-light: .make/dev .make/installed
	@$(STAGE) test-apps-light tests/tools/apps.sh light

test-apps: .make/dev .make/installed
	@$(STAGE) test-apps tests/tools/apps.sh all

test-autobahn: .make/dev .make/installed
	@$(STAGE) test-autobahn tests/tools/autobahn.sh

sanitize: asan asan-python tsan

asan: build-asan
	@$(STAGE) asan ctest --preset asan-ubsan --parallel 3

asan-python: build-asan-python
	@SCOPE=$(SCOPE) $(STAGE) asan-python tests/tools/sanitize_python.sh

tsan: build-tsan
	@$(STAGE) tsan ctest --preset tsan --parallel 3

fuzz: build-asan
	@$(STAGE) fuzz tests/tools/fuzz.sh $(FUZZ_SECONDS)

test-load: .make/dev .make/installed
	HTTPUV_LONG_LOAD=1 python -m pytest -s tests/python/cli/test_cli_under_load.py

soak-topics: .make/dev .make/installed
	python tests/python/topics_soak.py --processes 4 --clients 500 --cycles $(SOAK_CYCLES) --seconds $(SOAK_SECONDS)

test-packaging: .make/dev
	@$(STAGE) test-packaging python -m pytest -q tests/packaging

test-other-python: .make/dev
	@$(STAGE) test-other-python nox -s other

test-all-pythons: .make/dev
	@$(STAGE) test-all-pythons nox -s tests

# ---- the rest ------------------------------------------------------------------------------------------------

tidy: build-tsan
	run-clang-tidy -quiet -p build/tsan '/cpp/(base|http|websocket|files|net|server)/'

format: .make/dev
	find cpp tests/cpp tests/fuzz -name '*.h' -o -name '*.cpp' | xargs clang-format -i
	ruff check --fix

# make bench                    all that has a target, about 25 minutes, and one curve for each server while it is blocked
# make bench GROUPS="http tls"  only these; benchmarks/run.py --list names them
# make bench AGAINST=<commit>   with our build of that commit as one more server
# make bench QUICK=1 INTO=name  a third of the slices; added to benchmarks/results/name.json
bench: .make/dev .make/installed
	python benchmarks/run.py $(GROUPS) $(if $(AGAINST),--against $(AGAINST)) $(if $(QUICK),--quick) $(if $(INTO),--into $(INTO))
	$(if $(GROUPS),,python benchmarks/blocked.py)

conformance: .make/dev .make/installed
	python tests/conformance/run.py

# The documentation, in build/docs/html. A warning is an error, and so is a link within it that leads nowhere.
docs: .make/docs .make/installed
	@$(STAGE) docs docs/tools/build.sh build/docs/html

# Links to other sites; needs the internet.
docs-links: .make/docs .make/installed
	$(BIN)/python -m sphinx -q -b linkcheck -d build/docs/trees docs build/docs/links

# Screenshots for the documentation, in build/docs/pictures; needs Chromium.
docs-pictures: docs .make/dev
	$(BIN)/python docs/tools/pictures.py build/docs/pictures

# Figures of the benchmarks for the documentation, from what `make bench` and benchmarks/blocked.py have measured.
# RESULTS and BLOCKED name other files.
docs-plots: .make/plots
	$(BIN)/python benchmarks/plots.py $(if $(RESULTS),--results $(RESULTS)) $(if $(BLOCKED),--blocked $(BLOCKED))

wheel: .make/dev
	python -m build --outdir dist

# What is published: make dist URL=https://... (the repository's address, which the package page shows and links to)
dist: .make/dev
	python tests/tools/dist.py '$(URL)'

clean:
	rm -rf .make .nox .venv build dist
