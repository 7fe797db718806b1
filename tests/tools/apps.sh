#!/bin/bash
# Runs tests/apps, applications of real frameworks, in an environment of their own: their packages and what they need
# in turn must not decide what the other tests see. The extension is that of the main environment.
set -eu
environment=build/apps/venv
package=build/apps/package
mkdir -p $package
rm -f $package/httpuv
ln -s "$(python -c 'import httpuv, os; print(os.path.dirname(httpuv.__file__))')" $package/httpuv
[ -x $environment/bin/python ] || python -m venv $environment
$environment/bin/python -m pip install -q --disable-pip-version-check -U 'pip>=25.1'
$environment/bin/python -m pip install -q --disable-pip-version-check --group apps
PYTHONPATH=$package $environment/bin/python -m pytest -q -W default -p no:cacheprovider tests/apps "$@"
