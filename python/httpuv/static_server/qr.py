"""A QR code of a short text, in the terminal (ISO/IEC 18004).

Byte mode, error correction level L, versions 1 to 5: up to 106 bytes, enough for a URL.
"""

from __future__ import annotations

from collections.abc import Iterator

#: By version: codewords of data, codewords of error correction, centre of the alignment pattern.
_VERSIONS = {1: (19, 7, 0), 2: (34, 10, 18), 3: (55, 15, 22), 4: (80, 20, 26), 5: (108, 26, 30)}
#: Level L, by mask: the 15 bits of the format information.
_FORMAT_L = (0x77C4, 0x72F3, 0x7DAA, 0x789D, 0x662F, 0x6318, 0x6C41, 0x6976)


def _field() -> tuple[list[int], list[int]]:
    """Powers and logarithms in GF(256) modulo x^8 + x^4 + x^3 + x^2 + 1."""
    powers, logs = [0] * 255, [0] * 256
    value = 1
    for exponent in range(255):
        powers[exponent] = value
        logs[value] = exponent
        value <<= 1
        if value & 0x100:
            value ^= 0x11D
    return powers, logs


_POWERS, _LOGS = _field()


def _times(a: int, b: int) -> int:
    return _POWERS[(_LOGS[a] + _LOGS[b]) % 255] if a and b else 0


def _correction(data: list[int], count: int) -> list[int]:
    """The Reed-Solomon codewords for data."""
    generator = [1]
    for exponent in range(count):
        root = _POWERS[exponent]
        generator = [
            a ^ _times(b, root) for a, b in zip([*generator, 0], [0, *generator], strict=True)
        ]
    rest = [0] * count
    for word in data:
        factor = word ^ rest[0]
        rest = [*rest[1:], 0]
        rest = [a ^ _times(b, factor) for a, b in zip(rest, generator[1:], strict=True)]
    return rest


def _codewords(text: bytes, capacity: int) -> list[int]:
    """Mode, length, text and padding."""
    bits = "0100" + f"{len(text):08b}" + "".join(f"{byte:08b}" for byte in text)
    bits += "0" * min(4, capacity * 8 - len(bits))
    bits += "0" * (-len(bits) % 8)
    words = [int(bits[i : i + 8], 2) for i in range(0, len(bits), 8)]
    pads = (0xEC, 0x11)
    return words + [pads[i % 2] for i in range(capacity - len(words))]


class _Matrix:
    """The modules of a symbol: True is dark, None is not set yet."""

    def __init__(self, version: int) -> None:
        self.size = 17 + 4 * version
        self.cells: list[list[bool | None]] = [[None] * self.size for _ in range(self.size)]
        last = self.size - 7
        for top, left in ((0, 0), (0, last), (last, 0)):
            self._finder(top, left)
        for i in range(8, self.size - 8):
            self.cells[6][i] = self.cells[i][6] = i % 2 == 0
        centre = _VERSIONS[version][2]
        if centre:
            self._square(centre - 2, centre - 2, 5)
        self.format(0)  # takes the place

    def _square(self, top: int, left: int, size: int) -> None:
        """A dark ring, a light ring, a dark centre."""
        for row in range(size):
            for column in range(size):
                ring = min(row, column, size - 1 - row, size - 1 - column)
                self.cells[top + row][left + column] = ring != 1

    def _finder(self, top: int, left: int) -> None:
        for row in range(max(0, top - 1), min(self.size, top + 8)):
            for column in range(max(0, left - 1), min(self.size, left + 8)):
                self.cells[row][column] = False
        self._square(top, left, 7)

    def format(self, mask: int) -> None:
        """Write the format information, twice, and the dark module."""
        bits = [bool(_FORMAT_L[mask] >> i & 1) for i in range(15)]
        size = self.size
        around = [(i if i < 6 else i + 1, 8) for i in range(7)]
        around += [(8, 8), (8, 7), *((8, 5 - i) for i in range(6))]
        apart = [(8, size - 1 - i) for i in range(8)] + [(size - 7 + i, 8) for i in range(7)]
        for bit, (row, column) in zip(bits, around, strict=True):
            self.cells[row][column] = bit
        for bit, (row, column) in zip(bits, apart, strict=True):
            self.cells[row][column] = bit
        self.cells[size - 8][8] = True

    def free(self) -> Iterator[tuple[int, int]]:
        """The places of the data, in order: two columns at a time, upwards and downwards."""
        upwards = True
        for right in range(self.size - 1, 0, -2):
            pair = right - 1 if right <= 6 else right
            rows = range(self.size - 1, -1, -1) if upwards else range(self.size)
            for row in rows:
                for column in (pair, pair - 1):
                    if self.cells[row][column] is None:
                        yield row, column
            upwards = not upwards


def matrix(text: str) -> list[list[bool]]:
    """The modules of the code, without the light border; True is dark.

    Raises:
        ValueError: The text is too long.
    """
    data = text.encode("utf-8")
    version = next((v for v, (room, _, _) in _VERSIONS.items() if len(data) + 2 <= room), None)
    if version is None:
        raise ValueError(f"text must have at most 106 bytes, not {len(data)}")
    capacity, corrections, _ = _VERSIONS[version]
    words = _codewords(data, capacity)
    words += _correction(words, corrections)
    bits = "".join(f"{word:08b}" for word in words)
    symbol = _Matrix(version)
    places = list(symbol.free())
    # Mask 0, a chess board, suits a text; a reader takes any.
    for (row, column), bit in zip(places, bits.ljust(len(places), "0"), strict=True):
        symbol.cells[row][column] = (bit == "1") != ((row + column) % 2 == 0)
    return [[bool(cell) for cell in row] for row in symbol.cells]


def qr_lines(text: str) -> list[str]:
    """The code for a terminal with a dark or a light background, two rows a line.

    Returns:
        Lines with ANSI colours; [] where the text is too long.
    """
    try:
        cells = matrix(text)
    except ValueError:
        return []
    border = 2
    size = len(cells) + 2 * border
    padded = [[False] * size for _ in range(size + size % 2)]
    for y, row in enumerate(cells):
        padded[y + border][border : border + len(row)] = row
    glyphs = {(False, False): " ", (True, False): "▀", (False, True): "▄", (True, True): "█"}
    return [
        "\x1b[30;107m"
        + "".join(glyphs[pair] for pair in zip(padded[y], padded[y + 1], strict=True))
        + "\x1b[0m"
        for y in range(0, len(padded), 2)
    ]
