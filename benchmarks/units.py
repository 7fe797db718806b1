"""Numbers with their units, as tables and plots show them."""

from __future__ import annotations


def label(value: float, unit: str) -> str:
    """A value with its significant digits."""
    if unit == "bytes/s":
        return f"{value / 1e6:,.0f} MB/s"
    if unit == "bytes":
        return f"{value / 1024:.1f} KiB" if value >= 1024 else f"{value:,.0f} bytes"
    if unit == "µs":
        return f"{value:,.0f} µs" if value < 10_000 else f"{value / 1000:,.0f} ms"
    if unit == "/s":
        return f"{value:.2f} /s"
    return f"{value / 1000:,.1f} k/s" if value >= 1000 else f"{value:,.0f} /s"
