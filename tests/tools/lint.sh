#!/bin/bash
# Formats and types: changes nothing.
set -eu
find cpp tests/cpp tests/fuzz -name '*.h' -o -name '*.cpp' | sort | xargs clang-format --dry-run -Werror
python tests/tools/unity_names.py
ruff check
mypy
