"""bjoern: a WSGI server in C on libev."""

from __future__ import annotations

import bjoern
import common

if __name__ == "__main__":
    bjoern.run(common.wsgi_app, "127.0.0.1", common.arguments().port)
