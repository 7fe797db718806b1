"""The build backend: scikit-build-core, after vendor/*/source/ was filled.

CMake could fill them as well, but that is too late here: the list of licence files is put together
before CMake runs, and a source distribution runs no CMake at all.
"""

from __future__ import annotations

import os
import re

import fetch
from scikit_build_core import build as backend
from scikit_build_core.build import (
    get_requires_for_build_editable,
    get_requires_for_build_sdist,
    get_requires_for_build_wheel,
)

__all__ = [
    "build_editable",
    "build_sdist",
    "build_wheel",
    "get_requires_for_build_editable",
    "get_requires_for_build_sdist",
    "get_requires_for_build_wheel",
    "prepare_metadata_for_build_editable",
    "prepare_metadata_for_build_wheel",
]

Settings = dict[str, list[str] | str] | None
VARIABLES = ("CMAKE_ARGS", "SKBUILD_CMAKE_ARGS", "SKBUILD_CMAKE_DEFINE")


def fill(config_settings: Settings) -> None:
    """Fill the sources of every library that the settings do not take from the system."""
    settings = [f"{key}={value}" for key, value in (config_settings or {}).items()]
    settings += [os.environ.get(key, "") for key in VARIABLES]
    for name in ("libuv", "llhttp", "zlib-ng"):
        option = "HTTPUV_SYSTEM_" + name.removesuffix("-ng").upper()
        if not re.search(rf"{option}(:BOOL)?=(ON|1|TRUE|YES)\b", " ".join(settings), re.IGNORECASE):
            try:
                fetch.fill(fetch.Pin.read(name))
            except fetch.FetchError as error:
                hint = f"(-Ccmake.define.{option}=ON uses the system's library instead.)"
                raise SystemExit(f"{error}\n{hint}") from None


def build_wheel(
    wheel_directory: str, config_settings: Settings = None, metadata_directory: str | None = None
) -> str:
    fill(config_settings)
    return backend.build_wheel(wheel_directory, config_settings, metadata_directory)


def build_editable(
    wheel_directory: str, config_settings: Settings = None, metadata_directory: str | None = None
) -> str:
    fill(config_settings)
    return backend.build_editable(wheel_directory, config_settings, metadata_directory)


def build_sdist(sdist_directory: str, config_settings: Settings = None) -> str:
    fill(None)  # the source distribution always carries all three
    return backend.build_sdist(sdist_directory, config_settings)


def prepare_metadata_for_build_wheel(
    metadata_directory: str, config_settings: Settings = None
) -> str:
    fill(config_settings)
    return backend.prepare_metadata_for_build_wheel(metadata_directory, config_settings)


def prepare_metadata_for_build_editable(
    metadata_directory: str, config_settings: Settings = None
) -> str:
    fill(config_settings)
    return backend.prepare_metadata_for_build_editable(metadata_directory, config_settings)
