"""A build backend that builds nothing.

`pip download` asks a source distribution for its metadata before it keeps the archive, and the
usual answer is to run the project's whole build set-up (for uvloop: Cython, two minutes). Every
source distribution already carries that answer in PKG-INFO. vendor/fetch.py puts this module in
front of the real setuptools for that one pip process, so nothing of the archive is ever executed.
"""

import email.parser
import shutil
import sys
from pathlib import Path
from typing import Any

__legacy__ = sys.modules[__name__]  # the backend's name where a project declares none (PEP 517)


def get_requires_for_build_wheel(config_settings: Any = None) -> list[str]:
    """Nothing is built, so nothing is required."""
    return []


def prepare_metadata_for_build_wheel(metadata_directory: str, config_settings: Any = None) -> str:
    """Copy PKG-INFO (same format as METADATA) into a new .dist-info folder and return its name."""
    with open("PKG-INFO", encoding="utf-8") as file:
        info = email.parser.HeaderParser().parse(file)
    name = f"{info['Name'].replace('-', '_')}-{info['Version']}.dist-info"
    target = Path(metadata_directory, name)
    target.mkdir()
    shutil.copy("PKG-INFO", target / "METADATA")
    return name
