#!/bin/bash
# Runs one step of setting up, and says what it does, how long it takes and how far it is: its own output,
# which is long, is kept in build/log and shown if it fails.
#
#   tests/tools/step.sh "<what it does>" <command> [argument ...]
set -eu
what=$1
shift
mkdir -p build/log
log=build/log/step-$(tr -cs 'a-zA-Z0-9\n' '-' <<<"$what" | cut -c1-40).log
started=$SECONDS
: >"$log"
echo "$what ..."
tell() {
  while sleep 10; do
    # ninja's count, where there is one.
    echo "  $((SECONDS - started)) s $(grep -aoE '\[[0-9]+/[0-9]+\] [A-Z][a-z]+ [A-Za-z]+' "$log" | tail -n 1)"
  done
}
tell &
teller=$!
trap 'kill $teller 2>/dev/null || true' EXIT
status=0
"$@" >"$log" 2>&1 || status=$?
if [ $status != 0 ]; then
  cat "$log" >&2
  echo "$what: failed after $((SECONDS - started)) s (exit status $status)" >&2
  exit $status
fi
echo "  done after $((SECONDS - started)) s"
