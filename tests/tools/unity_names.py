"""Names in unnamed namespaces that two sources of one folder share.

Sources of a folder are compiled many at a time (HTTPUV_PRECOMPILE), so that such a name is one name
in all of them. A build with a compiler cache compiles them one by one and does not notice.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
SPACE = re.compile(r"^namespace \{$(.*?)^\}  // namespace$", re.MULTILINE | re.DOTALL)
TYPE = re.compile(r"(?:struct|class|enum class|enum) (\w+)(?: [:{]| final)")
VARIABLE = re.compile(r"[\w:<>,*& ]+?[ *&]([kg]_?\w+)(?:\[[^\]]*\])*(?: = | ?\{|;|\()")
FUNCTION = re.compile(r"[\w:<>,*&\[\] ]+?[ *&](\w+)\(([^)]*)\)?")
KEYWORDS = ("namespace", "using", "template", "return", "//", "}", "#")


def signature(parameters: str) -> str:
    """Types of the parameters: what tells two functions of one name apart."""
    types = []
    for parameter in parameters.split(","):
        parts = parameter.split(" = ")[0].rsplit(maxsplit=1)
        types.append(parts[0] if parts else "")
    return ", ".join(types)


def names(text: str) -> Iterator[str]:
    """What stands at the left margin of the unnamed namespaces of a source."""
    for space in SPACE.findall(text):
        # Parameters may go on in the next lines.
        for line in re.sub(r"([,(])\n +", lambda match: match[1] + " ", space).splitlines():
            if not line or line[0].isspace() or line.startswith(KEYWORDS):
                continue
            if (match := TYPE.match(line)) or (
                (match := VARIABLE.match(line)) and re.match(r"k[A-Z]|g_", match[1])
            ):
                yield match[1]
            elif match := FUNCTION.match(line):
                yield f"{match[1]}({signature(match[2])})"


def clashes(folder: Path) -> Iterator[str]:
    seen: dict[str, Path] = {}
    for source in sorted(folder.rglob("*.cpp")):
        for name in set(names(source.read_text("utf-8"))):
            other = seen.setdefault(name, source)
            if other != source:
                yield f"{source}: error: {name} stands in {other.relative_to(folder.parent)}, too"


def main() -> int:
    folders = [*(ROOT / "cpp").iterdir(), *(ROOT / "tests/cpp").iterdir()]
    found = [line for folder in sorted(folders) if folder.is_dir() for line in clashes(folder)]
    for line in found:
        print(line.removeprefix(f"{ROOT}/"))
    if found:
        print("Rename one of each: the sources of a folder are compiled together.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
