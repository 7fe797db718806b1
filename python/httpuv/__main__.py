"""``python -m httpuv``; see :mod:`httpuv.cli`."""

import sys

from .cli import main

sys.exit(main(program="python -m httpuv"))
