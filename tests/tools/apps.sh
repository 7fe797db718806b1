#!/bin/bash
# Runs tests/apps, applications of real frameworks, in a separate environment: their packages and what they need
# in turn must not decide what the other tests see. The extension is that of the main environment.
#
# apps.sh light|all [pytest arguments]   all: the programs that take long to install and to start, too
set -eu
which=$1
shift
environment=build/apps/$which
package=$PWD/build/apps/package
mkdir -p "$package"
rm -f "$package/httpuv"
ln -s "$(python -c 'import httpuv, os; print(os.path.dirname(httpuv.__file__))')" "$package/httpuv"
[ -x "$environment/bin/python" ] || python -m venv "$environment"
pip=("$environment/bin/python" -m pip install -q --disable-pip-version-check)
"${pip[@]}" -U 'pip>=25.1'
group=apps
[ "$which" = light ] || group=apps-all
"${pip[@]}" --group "$group"
[ "$which" = all ] || set -- --ignore=tests/apps/test_programs.py "$@"
PYTHONPATH=$package "$environment/bin/python" -m pytest -q -W default -p no:cacheprovider tests/apps "$@"
