#!/bin/bash
# Configures and builds one preset of CMakePresets.json: build.sh <preset> [cmake option ...]
set -eu
preset=$1
shift
cmake --preset "$preset" -DPython_EXECUTABLE="$PWD/.venv/bin/python" \
  -Dpybind11_DIR="$(python -m pybind11 --cmakedir)" --no-warn-unused-cli "$@" >/dev/null
cmake --build --preset "$preset" -- --quiet
