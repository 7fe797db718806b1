# make demo      set everything up and serve a demonstration
# make test      set everything up and run everything there is
# The rest: build test-cpp test-python lint sanitize fuzz test-packaging test-other-python test-all-pythons
#           tidy format bench conformance wheel clean
SHELL := /bin/bash
unexport MAKEFLAGS # or ninja looks for a job server that make has closed to it
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:

PYTHON ?= python3
FUZZ_SECONDS ?= 12
BIN := .venv/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)
ifneq ($(shell command -v ccache),)
export CMAKE_C_COMPILER_LAUNCHER := ccache
export CMAKE_CXX_COMPILER_LAUNCHER := ccache
export CCACHE_BASEDIR := $(CURDIR)
endif

SOURCES := $(shell find CMakeLists.txt cpp python vendor -type f -not -path '*/source/*' -not -name '*.pyc')
STAGE := tests/tools/stage.sh

.PHONY: build demo test test-cpp test-python test-autobahn lint sanitize asan tsan fuzz test-packaging \
  test-other-python test-all-pythons tidy format bench conformance wheel clean

build: .make/installed

demo: build
	@exec $(BIN)/python examples/demo.py

# ---- setting up ----------------------------------------------------------------------------------------------

.make/system-%: tests/tools/system_packages.sh
	@mkdir -p .make
	@PYTHON=$(PYTHON) $< $*
	@touch $@

.make/venv: pyproject.toml | .make/system-build
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -q --disable-pip-version-check -U 'pip>=25.1'
	$(BIN)/python -m pip install -q --group build
	@touch $@

# What only `make test` and its parts need.
.make/dev: .make/venv | .make/system-test
	$(BIN)/python -m pip install -q --group dev
	@touch $@

.make/installed: .make/venv $(SOURCES)
	$(BIN)/python -m pip install -q --no-build-isolation --no-deps --force-reinstall \
	  -Cbuild-dir=build/python -Ccmake.define.HTTPUV_WERROR=ON .
	@touch $@

# ---- testing -------------------------------------------------------------------------------------------------

STAGES := lint test-cpp test-python test-autobahn asan asan-python tsan fuzz test-packaging test-other-python

# Three parts at a time, since most of them wait much, the long ones first; each part's output comes in one piece.
test: .make/dev .make/installed
	@$(MAKE) --no-print-directory --output-sync=target -j3 \
	  lint asan test-python test-other-python test-packaging tsan fuzz test-cpp test-autobahn
	@$(STAGE) --summary $(STAGES)

lint: .make/dev
	@$(STAGE) lint tests/tools/lint.sh

test-cpp: .make/dev
	@cmake --preset dev >/dev/null && cmake --build --preset dev -- --quiet
	@$(STAGE) test-cpp ctest --preset dev

test-python: .make/dev .make/installed
	@$(STAGE) test-python python -m pytest tests/python

test-autobahn: .make/dev .make/installed
	@tests/tools/autobahn.sh
	@$(STAGE) test-autobahn python -m pytest tests/conformance

sanitize: asan tsan

asan: .make/dev
	@cmake --preset asan-ubsan >/dev/null && cmake --build --preset asan-ubsan -- --quiet
	@$(STAGE) asan ctest --preset asan-ubsan
	@$(STAGE) asan-python tests/tools/sanitize_python.sh

tsan: .make/dev
	@cmake --preset tsan >/dev/null && cmake --build --preset tsan -- --quiet
	@$(STAGE) tsan ctest --preset tsan

fuzz: .make/dev
	@$(STAGE) fuzz tests/tools/fuzz.sh $(FUZZ_SECONDS)

test-packaging: .make/dev
	@$(STAGE) test-packaging python -m pytest tests/packaging

test-other-python: .make/dev
	@$(STAGE) test-other-python nox -s other

test-all-pythons: .make/dev
	@$(STAGE) test-all-pythons nox -s tests

# ---- the rest ------------------------------------------------------------------------------------------------

tidy: .make/dev
	@cmake --preset tsan >/dev/null && cmake --build --preset tsan -- --quiet
	run-clang-tidy -quiet -p build/tsan '/cpp/(base|http|websocket|files|net|server)/'

format: .make/dev
	find cpp tests/cpp tests/fuzz -name '*.h' -o -name '*.cpp' | xargs clang-format -i
	ruff check --fix

bench: .make/dev .make/installed
	python benchmarks/run.py

conformance: .make/dev .make/installed
	python tests/conformance/run.py

wheel: .make/dev
	python -m build --outdir dist

clean:
	rm -rf .make .nox .venv build dist
