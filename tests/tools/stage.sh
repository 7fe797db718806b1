#!/bin/bash
# Runs one part of `make test`, keeps its output and how it ended for the summary, and fails as it does.
#
#   tests/tools/stage.sh <name> <command> [argument ...]     with QUIET=1 only how it ended is printed
#   tests/tools/stage.sh --summary <name> ...    how these parts ended; fails if one failed or never ran
#   tests/tools/stage.sh --forget <name> ...     what is known of earlier runs of these parts
set -eu -o pipefail
logs=build/log

# What failed, by name, as the tools print it.
failures() {
  grep -aE '^(FAILED|ERROR) |^[[:space:]]*[0-9]+ - .* \((Failed|Timeout|SEGFAULT|Subprocess aborted|Not Run|SIG[A-Z]+|.*Exception.*)\)|^TEST CASE:|^[^ ]+:[0-9]+: (FATAL )?ERROR:|^SUMMARY: [A-Za-z]+Sanitizer|: error: |^[^ ]+:[0-9]+:[0-9]+: error|^ +--> |^FAILED: |^fuzz: .* failed|^Would reformat' \
    "$1" | awk '!seen[$0]++' | head -n 40
}

# The closing lines of the tools.
results() {
  grep -aE '^=+ .*(passed|skipped|failed|error|no tests ran).* =+$|^[0-9]+ (passed|failed).* in |% tests passed|^Success: no issues|^All checks passed|^fuzz: .*no finding|Session .* skipped|^RERUN ' "$1" || true
}

if [ "$1" = --summary ]; then
  shift
  bad=0
  echo
  echo "---- summary ----"
  for name in "$@"; do
    if [ ! -e "$logs/$name.end" ]; then
      echo "NOT RUN  $name"
      bad=1
      continue
    fi
    read -r status seconds <"$logs/$name.end"
    if [ "$status" = 0 ]; then
      echo "ok       $name (${seconds} s)"
    else
      echo "FAILED   $name (${seconds} s, exit status $status; all of it: $logs/$name.log)"
      bad=1
      found=$(failures "$logs/$name.log" || true)
      [ -n "$found" ] || found=$(tail -n 15 "$logs/$name.log")
      sed 's/^/           /' <<<"$found"
    fi
    results "$logs/$name.log" | sed 's/^/         /'
  done
  [ $bad = 0 ] && echo "Everything passed." || echo "Not everything passed."
  exit $bad
fi

if [ "$1" = --forget ]; then
  shift
  for name in "$@"; do rm -f "$logs/$name.end" "$logs/$name.log"; done
  exit
fi

name=$1
shift
mkdir -p "$logs"
rm -f "$logs/$name.end"
started=$SECONDS
status=0
echo "---- $name ----"
if [ "${QUIET:-}" = 1 ]; then
  "$@" >"$logs/$name.log" 2>&1 || status=$?
else
  "$@" 2>&1 | tee "$logs/$name.log" || status=$?
fi
seconds=$((SECONDS - started))
echo "$status $seconds" >"$logs/$name.end"
if [ $status = 0 ]; then
  echo "---- $name: passed after $seconds s ----"
else
  echo "---- $name: FAILED after $seconds s (exit status $status): $logs/$name.log ----"
fi
exit $status
