"""The core has no defaults for limits: python/httpuv/options/limits.py is the one place.

Without a default in C++, a limit that the conversion of the options leaves out does not compile
(-Wmissing-field-initializers).
"""

import re
from pathlib import Path

import pytest

CPP = Path(__file__).parents[2] / "cpp"
MEMBER = re.compile(r"^  (?!//|\w+ \w+\(|explicit)[\w:<> ]+ \w+(.*?);", re.MULTILINE)


@pytest.mark.parametrize("name", ["http/parse/limits.h", "server/worker/limits.h"])
def test_limits_have_no_defaults(name: str) -> None:
    defaults = MEMBER.findall((CPP / name).read_text("utf-8"))
    assert len(defaults) >= 3, "the pattern finds no members"
    assert set(defaults) == {""}
