#!/bin/bash
# Runs one stage of `make test`, keeps its output for the summary, and fails as it does.
#
#   tests/tools/stage.sh <name> <command> [argument ...]
#   tests/tools/stage.sh --summary <name> ...    the closing lines of these stages
set -eu -o pipefail
logs=build/log

if [ "$1" = --summary ]; then
  shift
  echo
  echo "---- summary ----"
  for name in "$@"; do
    printf '%s:\n' "$name"
    grep -aE '^=+ .*(passed|skipped|failed|error|no tests ran).* =+$|% tests passed|^Success: no issues|^All checks passed|^fuzz: |Session other skipped' \
      "$logs/$name.log" | sed 's/^/  /' || echo "  no closing line"
  done
  exit
fi

name=$1
shift
mkdir -p "$logs"
echo
echo "---- $name ----"
seconds=$SECONDS
"$@" 2>&1 | tee "$logs/$name.log"
echo "---- $name took $((SECONDS - seconds)) s ----"
