#!/bin/bash
# Every fuzz target that the preset asan-ubsan has built, for a few seconds: fuzz.sh <seconds>. Seeds are in
# tests/fuzz/corpus/<name>/; what is found besides stays in build/fuzz/corpus/, so that the next run goes on from there.
set -eu
build=build/fuzz

if [ "$1" = --one ]; then
  target=$2 seconds=$3
  name=${target##*/fuzz_}
  seeds=tests/fuzz/corpus/$name
  [ -d "$seeds" ] || seeds=
  mkdir -p "$build/corpus/$name"
  options="-max_total_time=$seconds -timeout=10 -rss_limit_mb=2048 -print_final_stats=1"
  if ! "$target" $options -artifact_prefix=$build/ "$build/corpus/$name" $seeds >"$build/$name.log" 2>&1; then
    cat "$build/$name.log"
    echo "fuzz: $name failed; its input is in $build/"
    exit 1
  fi
  runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$build/$name.log")
  echo "fuzz: $name: $runs runs in $seconds s, no finding"
  exit
fi

export UBSAN_OPTIONS=print_stacktrace=1
find build/asan-ubsan/tests/fuzz -maxdepth 1 -name 'fuzz_*' -type f -executable | sort |
  xargs -P "$(nproc)" -I TARGET "$0" --one TARGET "$1"
