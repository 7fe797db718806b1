"""A class of ours with more than 25 members and methods together says why, where it stands."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

CPP = Path(__file__).parents[2] / "cpp"
MOST = 25
#: The sentence that a large class is explained with, in a comment of its file.
REASON = re.compile(r"ore than 25 (members|methods)[^.]*\bbecause\b", re.DOTALL)

HEAD = re.compile(r"\b(?:class|struct)\s+((?:\w+::)*\w+)(?:\s+final)?(?:\s*:(?!:)[^;{()]*)?\s*\{")
#: Declarations that are no members.
NO_MEMBER = re.compile(r"(using|friend|typedef|static_assert|enum|class|struct)\b")
BODY_OF_FUNCTION = re.compile(r"\)[^;=]*\{\}$")


def bare(text: str) -> str:
    """Without comments, strings and directives."""
    text = re.sub(r"//[^\n]*", "", text)
    text = re.sub(r'"(?:\\.|[^"\\])*"', '""', text)
    text = re.sub(r"'(?:\\.|[^'\\])'", "' '", text)
    return re.sub(r"^\s*#[^\n]*", "", text, flags=re.MULTILINE)


def classes(text: str) -> Iterator[tuple[str, str]]:
    """(name, what is between the braces), nested classes too."""
    for match in HEAD.finditer(text):
        if re.search(r"\benum\s*$", text[: match.start()]):
            continue
        end, depth = match.end(), 1
        while depth > 0:
            depth += {"{": 1, "}": -1}.get(text[end], 0)
            end += 1
        yield match[1], text[match.end() : end - 1]


def declarations(body: str) -> Iterator[str]:
    """What is declared at the top of a class, with bodies and initialisers as {}."""
    current, braces, parentheses = "", 0, 0
    for character in body:
        braces += {"{": 1, "}": -1}.get(character, 0)
        parentheses += {"(": 1, ")": -1}.get(character, 0)
        if character == "}" and braces == 0:
            current += "{}"
            if BODY_OF_FUNCTION.search(current) and not re.search(r"\bclass\b|\bstruct\b", current):
                yield current
                current = ""
        elif character == ";" and braces == parentheses == 0:
            yield current
            current = ""
        elif braces == 0:
            current += character


def members(body: str) -> list[str]:
    found = []
    for declaration in declarations(body):
        text = re.sub(r"\b(public|private|protected)\s*:(?!:)", "", declaration).strip()
        if text and not NO_MEMBER.match(text) and not re.search(r"= (delete|default)$", text):
            found.append(text)
    return found


def unexplained(text: str) -> dict[str, int]:
    counts = {name: len(members(body)) for name, body in classes(bare(text))}
    large = {name: count for name, count in counts.items() if count > MOST}
    comments = " ".join(re.findall(r"//+ ?([^\n]*)", text))
    return {} if REASON.search(comments) else large


def test_members_are_counted() -> None:
    body = """
     public:
      A() = default;
      explicit A(int x) : x_(x) {}
      [[nodiscard]] int x() const { return x_; }
      void f(int a = 1,
             int b = 2);
      struct Inner { int y; };
     private:
      int x_ = 0;
      std::function<void()> call_{};
      B b_{*this};
    """
    assert len(members(body)) == 6


def test_a_large_class_is_noticed() -> None:
    body = "\n".join(f"  int x{number}_ = 0;" for number in range(MOST + 1))
    text = f"class Large {{\n{body}\n}};\n"
    assert unexplained(text) == {"Large": MOST + 1}
    assert unexplained(f"// More than 25 members,\n// because it is a test.\n{text}") == {}


def test_large_classes_say_why() -> None:
    found = {
        path.relative_to(CPP).as_posix(): large
        for path in sorted(CPP.rglob("*.[ch]*"))
        if (large := unexplained(path.read_text("utf-8")))
    }
    assert found == {}


def test_no_reason_without_a_large_class() -> None:
    for path in CPP.rglob("*.[ch]*"):
        text = path.read_text("utf-8")
        if REASON.search(" ".join(re.findall(r"//+ ?([^\n]*)", text))):
            counts = [len(members(body)) for _, body in classes(bare(text))]
            assert max(counts, default=0) > MOST, path
