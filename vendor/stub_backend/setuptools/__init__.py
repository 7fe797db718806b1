"""Stands in front of the real setuptools while vendor/fetch.py downloads; see build_meta.py."""
