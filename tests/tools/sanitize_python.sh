#!/bin/bash
# The Python tests against the extension that build.sh built with ASAN and UBSAN in build/asan-python: those of
# bodies, streams, files, WebSocket and threads, where C++ does most, but for those that measure memory or do the same
# thousands of times; all of them with SCOPE=all. The interpreter itself is
# not instrumented, so the runtime must be loaded first, libstdc++ with it (else ASAN misses its exceptions),
# and leaks are not looked for: the interpreter keeps much until the end. The C++ tests do look for them.
set -eu
build=build/asan-python
rm -rf $build/package
mkdir $build/package
cp -r python/httpuv $build/package/httpuv
cp $build/cpp/_core*.so $build/package/httpuv/

compiler=$(sed -n 's/^CMAKE_CXX_COMPILER:[A-Z]*=//p' $build/CMakeCache.txt)
export LD_PRELOAD="$($compiler -print-file-name=libasan.so) $($compiler -print-file-name=libstdc++.so)"
export ASAN_OPTIONS=detect_leaks=0:detect_stack_use_after_return=1
export UBSAN_OPTIONS=print_stacktrace=1
export PYTHONPATH=$PWD/$build/package
export HTTPUV_SANITIZED=1 # tests that measure memory or time look at it

if [ "${SCOPE:-}" = all ]; then
  chosen=tests/python
else
  names="access_log bodies convert cycles dispatch_threads exit fork gzip_answers http_strictness limits_on_the_wire \
    on_headers resets responses static_changes static_http static_options stop_modes streaming streaming_events \
    streams upload"
  # A name that is gone is left for pytest to complain of.
  chosen=$(for name in $names; do find tests/python -name "test_$name.py" | grep . || echo "test_$name.py"; done
    find tests/python -name 'test_websocket_*.py' -not -name '*memory*' | sort)
fi
python -m pytest -q -n auto $chosen "$@"
