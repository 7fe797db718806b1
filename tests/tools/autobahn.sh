#!/bin/bash
# Installs Autobahn's WebSocket test suite into build/autobahn, where tests/conformance/test_autobahn.py finds it.
# It runs on CPython 2.7 alone, which few machines have and nobody should install for this: where there is none,
# or its packages cannot be had, the reason is printed and the test is skipped.
set -u
target=build/autobahn
pins=tests/conformance/autobahn.txt

cmp -s $pins $target/installed && exit
for python in python2.7 "${PYENV_ROOT:-$HOME/.pyenv}"/versions/2.7.*/bin/python2.7; do
  # Trying it: what PATH has may be a shim for a version that is not chosen here.
  "$python" -m pip --version >/dev/null 2>&1 || continue
  rm -rf $target
  if ! "$python" -m pip install -q --disable-pip-version-check --no-warn-script-location --no-deps \
    --target $target/site -r $pins 2>$target.log; then
    echo "Autobahn's suite is left out: its packages could not be installed, see $target.log"
    exit
  fi
  ln -sf "$(command -v "$python")" $target/python
  cp $pins $target/installed
  exit
done
echo "Autobahn's suite is left out: it needs CPython 2.7 with pip, and this machine has none"
