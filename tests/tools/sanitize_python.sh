#!/bin/bash
# The Python tests against an extension built with ASAN and UBSAN (build/asan-ubsan). The interpreter itself is
# not instrumented, so the runtime must be loaded first, libstdc++ with it (else ASAN misses its exceptions),
# and leaks are not looked for: the interpreter keeps much until the end. The C++ tests do look for them.
set -eu
build=build/asan-ubsan
cmake --preset asan-ubsan -DHTTPUV_BUILD_PYTHON=ON -DPython_EXECUTABLE="$PWD/.venv/bin/python" \
  -Dpybind11_DIR="$(python -m pybind11 --cmakedir)" >/dev/null
cmake --build --preset asan-ubsan -- --quiet
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
python -m pytest tests/python "$@"
