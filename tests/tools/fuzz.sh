#!/bin/bash
# Every fuzz target for a few seconds: fuzz.sh <seconds>. Seeds are in tests/fuzz/corpus/<name>/; what is found
# besides stays in build/fuzz/corpus/, so that the next run goes on from there.
set -eu
seconds=$1
build=build/fuzz
cmake --preset fuzz >/dev/null
cmake --build --preset fuzz -- --quiet
export UBSAN_OPTIONS=print_stacktrace=1
for target in $build/tests/fuzz/fuzz_*; do
  [ -f "$target" ] && [ -x "$target" ] || continue
  name=${target##*/fuzz_}
  corpus=$build/corpus/$name
  seeds=tests/fuzz/corpus/$name
  mkdir -p "$corpus"
  [ -d "$seeds" ] || seeds=
  options="-max_total_time=$seconds -timeout=10 -rss_limit_mb=2048 -print_final_stats=1"
  if ! "$target" $options -artifact_prefix=$build/ "$corpus" $seeds >$build/"$name".log 2>&1; then
    cat $build/"$name".log
    echo "fuzz: $name failed; its input is in $build/"
    exit 1
  fi
  runs=$(sed -n 's/^stat::number_of_executed_units: *//p' $build/"$name".log)
  echo "fuzz: $name: $runs runs in $seconds s, no finding"
done
