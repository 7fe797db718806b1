"""How Sphinx builds the documentation: ``make docs``.

Sphinx with MyST and Furo, because the reference is made from the docstrings of the package that the
tests import, every cross-reference is checked (nitpicky, warnings are errors), the pages are
Markdown that is readable without being built, and the theme works on phones and in dark mode
without a script of ours.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

import httpuv

project = "httpuv for Python"
author = "the authors of httpuv for Python"
copyright = "the authors of httpuv for Python; MIT licence"
version = release = httpuv.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "httpuv_tables"]
exclude_patterns = ["_ext", "_static", "tools"]
source_suffix = {".md": "markdown"}
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
suppress_warnings: list[str] = []

# Every reference must have a target, except for names that no inventory of ours has.
nitpicky = True
nitpick_ignore_regex = [
    ("py:.*", r"(?!httpuv).*"),  # Python's own, and the words of docstrings
    ("py:.*", r"httpuv\.(?!asgi|wsgi)[a-z_]+\..*"),  # modules of ours that are not public
]

autodoc_default_options = {"member-order": "bysource"}
autodoc_typehints = "none"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_custom_sections = ["Source"]
add_module_names = False
python_use_unqualified_type_names = True

html_theme = "furo"
html_title = f"httpuv {release}"
html_static_path = ["_static"]
html_css_files = ["httpuv.css"]
html_copy_source = False
html_show_sphinx = False
