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
  cd tests/python
  chosen=$(ls test_access_log.py test_bodies.py test_convert.py test_cycles.py test_dispatch_threads.py test_exit.py \
    test_fork.py test_gzip_answers.py test_http_strictness.py test_limits_on_the_wire.py test_on_headers.py test_resets.py \
    test_responses.py test_static_changes.py test_static_http.py test_static_options.py test_stop_modes.py \
    test_streaming.py test_streaming_events.py test_streams.py test_upload.py \
    $(ls test_websocket_*.py | grep -v memory) | sed 's|^|tests/python/|')
  cd ../..
fi
python -m pytest -q -n auto $chosen "$@"
