#!/bin/bash
# Runs Autobahn's WebSocket test suite (tests/conformance/test_autobahn.py), which it installs into build/autobahn.
# It runs on CPython 2.7 alone, which few machines have. It is not installed for this: without it,
# or its packages cannot be had, the reason is printed and the test is skipped.
set -u
run() { exec python -m pytest -q tests/conformance; }
target=build/autobahn
pins=tests/conformance/autobahn.txt

cmp -s $pins $target/installed && run
for python in python2.7 "${PYENV_ROOT:-$HOME/.pyenv}"/versions/2.7.*/bin/python2.7; do
  # Trying it: what PATH has may be a shim for a version that is not chosen here.
  "$python" -m pip --version >/dev/null 2>&1 || continue
  rm -rf $target
  if ! "$python" -m pip install -q --disable-pip-version-check --no-warn-script-location --no-deps \
    --target $target/site -r $pins 2>$target.log; then
    echo "Autobahn's suite is left out: its packages could not be installed, see $target.log"
    run
  fi
  ln -sf "$(command -v "$python")" $target/python
  cp $pins $target/installed
  run
done
echo "Autobahn's suite is left out: it needs CPython 2.7 with pip, and this machine has none"
run
