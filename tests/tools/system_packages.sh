#!/bin/bash
# Makes sure the machine has what pip cannot bring: compilers, headers and a few tools.
#
#   tests/tools/system_packages.sh build     to build and run httpuv
#   tests/tools/system_packages.sh test      to run `make test` besides
#
# Installs what is missing with apt where it may (root, or sudo without a password), else names it. Extras
# are for tests that skip without them. ccache is used where it is, but not installed: in a cold build it
# costs more than it saves, since precompiled headers do not work with it.
set -eu
wanted=$1
python=${PYTHON:-python3}
missing=()
extras=()

has() { command -v "$1" >/dev/null; }
compiles() { echo "$2" | "$1" -x c++ -std=c++20 "${@:3}" - -o /dev/null 2>/dev/null; }

clang_runtime() { [ -z "$1" ] || echo "libclang-rt-$1-dev"; } # the sanitizers and libFuzzer

look() {
  missing=()
  extras=()
  compiles "${CXX:-c++}" '#include <span>
    int main() {}' || missing+=(g++)
  if has "$python"; then
    "$python" -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3-venv)
    "$python" -c 'import os, sysconfig as s; assert os.path.exists(s.get_path("include") + "/Python.h")' \
      2>/dev/null || missing+=(python3-dev)
  else
    missing+=(python3 python3-venv python3-dev)
  fi
  if [ "$wanted" = test ]; then
    [ -e /usr/include/doctest/doctest.h ] || compiles c++ '#include <doctest/doctest.h>' -fsyntax-only ||
      missing+=(doctest-dev)
    has curl || missing+=(curl)
    has nginx || [ -x /usr/sbin/nginx ] || extras+=(nginx-light)
    has haproxy || [ -x /usr/sbin/haproxy ] || extras+=(haproxy)
    [ -e /usr/lib/nginx/modules/ngx_stream_module.so ] || extras+=(libnginx-mod-stream)
    has redis-server || extras+=(redis-server)
    has chromium || has chromium-browser || extras+=(chromium)
    if ! has clang++; then
      missing+=(clang $(clang_runtime "$(apt-cache depends clang 2>/dev/null | sed -n 's/.*Depends: clang-//p')"))
    elif ! compiles clang++ 'int main() {}' -fsanitize=thread; then
      missing+=($(clang_runtime "$(clang -dumpversion | cut -d. -f1)"))
    fi
  fi
}

install() {
  local sudo=
  if [ "$(id -u)" != 0 ]; then
    has sudo && sudo -n true 2>/dev/null || return 1
    sudo="sudo -n"
  fi
  has apt-get || return 1
  echo "installing: $*"
  $sudo apt-get update -qq || true # a stale list is good enough, if it has the packages
  # Offline, runlevel 1: a server that comes in a package is not started.
  $sudo env DEBIAN_FRONTEND=noninteractive SYSTEMD_OFFLINE=1 RUNLEVEL=1 \
    apt-get install -qq -y --no-install-recommends "$@" >/dev/null
}

# Twice: which runtime library clang needs is known only once clang is there.
for _ in 1 2; do
  look
  [ ${#missing[@]} = 0 ] || install "${missing[@]}" || break
done
look
for package in ${extras[*]-}; do
  install "$package" || echo "Without $package some tests are skipped, or building takes longer." >&2
done
if [ ${#missing[@]} != 0 ]; then
  echo "This machine lacks packages that cannot be installed from here. As root, on Debian or Ubuntu:" >&2
  echo "  apt-get install ${missing[*]}" >&2
  exit 1
fi
if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))'; then
  echo "$python is $("$python" -V); httpuv needs 3.10 or later: make PYTHON=python3.11 ..." >&2
  exit 1
fi
