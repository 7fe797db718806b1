"""Media types by file extension: the standard library's table and additions to it."""

from __future__ import annotations

import mimetypes
from collections.abc import Mapping

from ..base.checks import check_utf8

# Registered types (IANA Media Types) that `mimetypes` of some supported Python does not have, or
# has under an older name.
_FURTHER = {
    "7z": "application/x-7z-compressed",
    "apng": "image/apng",
    "arrow": "application/vnd.apache.arrow.file",
    "atom": "application/atom+xml",
    "avif": "image/avif",
    "br": "application/x-brotli",
    "bz2": "application/x-bzip2",
    "cjs": "text/javascript",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "epub": "application/epub+zip",
    "flac": "audio/flac",
    "geojson": "application/geo+json",
    "glb": "model/gltf-binary",
    "gltf": "model/gltf+json",
    "gz": "application/gzip",
    "ics": "text/calendar",
    "ipynb": "application/x-ipynb+json",
    "js": "text/javascript",
    "jsonl": "application/jsonl",
    "jsonld": "application/ld+json",
    "jxl": "image/jxl",
    "log": "text/plain",
    "m4a": "audio/mp4",
    "m4v": "video/mp4",
    "map": "application/json",
    "md": "text/markdown",
    "mjs": "text/javascript",
    "mkv": "video/matroska",
    "mpd": "application/dash+xml",
    "ndjson": "application/x-ndjson",
    "odp": "application/vnd.oasis.opendocument.presentation",
    "ods": "application/vnd.oasis.opendocument.spreadsheet",
    "odt": "application/vnd.oasis.opendocument.text",
    "oga": "audio/ogg",
    "ogg": "audio/ogg",
    "ogv": "video/ogg",
    "opus": "audio/ogg",
    "otf": "font/otf",
    "parquet": "application/vnd.apache.parquet",
    "pbf": "application/x-protobuf",
    "pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    "rss": "application/rss+xml",
    "rst": "text/x-rst",
    "rtf": "application/rtf",
    "svgz": "image/svg+xml",  # with Content-Encoding: gzip
    "sqlite": "application/vnd.sqlite3",
    "tgz": "application/gzip",
    "toml": "application/toml",
    "topojson": "application/topo+json",
    "ttf": "font/ttf",
    "vtt": "text/vtt",
    "wasm": "application/wasm",
    "webm": "video/webm",
    "webmanifest": "application/manifest+json",
    "webp": "image/webp",
    "woff": "font/woff",
    "woff2": "font/woff2",
    "xhtml": "application/xhtml+xml",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "xml": "application/xml",
    "xz": "application/x-xz",
    "yaml": "application/yaml",
    "yml": "application/yaml",
    "zst": "application/zstd",
}


def mime_table(overrides: Mapping[str, str] | None = None) -> dict[str, str]:
    """Extension in lower case, without the dot -> media type.

    The table is the same on every machine: the system's own files (``/etc/mime.types``) are not
    read.

    Args:
        overrides: Additional or different types; extensions with or without the dot, in any case.

    Raises:
        TypeError: ``overrides`` is not a dict of strings.
        ValueError: A type has a control character in it, or is no ``type/subtype``.
    """
    table = {
        extension.lstrip("."): kind
        for extension, kind in mimetypes.MimeTypes().types_map[1].items()
    }
    table.update(_FURTHER)
    if overrides is None:
        return table
    if not isinstance(overrides, Mapping):
        raise TypeError(f"mimeTypes must be a dict or None, not {type(overrides).__name__}")
    for extension, kind in overrides.items():
        if not isinstance(extension, str) or not isinstance(kind, str):
            raise TypeError(f"mimeTypes must be text, not {extension!r}: {kind!r}")
        check_utf8("mimeTypes: an extension", extension)
        if "/" not in kind or not kind.isprintable() or not kind.isascii():
            raise ValueError(f"mimeTypes: not a media type: {kind!r}")
        table[extension.lstrip(".").lower()] = kind
    return table
