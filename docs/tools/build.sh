#!/bin/bash
# Builds the documentation. A warning is an error, and so is a link within it that leads nowhere.
#
#   docs/tools/build.sh <folder>
set -eu
cd "$(dirname "$0")/../.."
python -m sphinx -q -W --keep-going -n -b html -d build/docs/trees docs "$1"
python docs/tools/check_links.py "$1"
echo "$1/index.html"
