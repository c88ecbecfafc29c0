"""A streaming reader of a JSON object of any size, one value at a time.

The standard library's decoder decodes one value from within a text and returns where it ends.
(The streaming parser at hand, yajl, makes "?" of half a surrogate pair and refuses integers above 64 bits.)
"""

import codecs
import json
import re
from collections.abc import Iterator
from typing import Any, BinaryIO

from instances.snapshot.problems import SnapshotError, shown

CHUNK = 2**20  # bytes
LONGEST_TOKEN = len(r"\ud83d\ude00")  # of those that the decoder refuses where they begin, if they are cut
LONGEST_TAIL = len("e+")  # what may follow a number in the text and belong to it, once more is read
LARGEST_VALUE = 2**26  # characters of a value, before the file counts as broken
MORE_THAN_WHITESPACE = re.compile(r"[^ \t\n\r]")


def number(text: str) -> float:
    """A float; ValueError where JSON's number has none, since infinity could not be written again."""
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise ValueError(f"{text[:20]} is too large a number")
    return value


def refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a number of JSON")


DECODER = json.JSONDecoder(parse_float=number, parse_constant=refuse_constant)


class JSONStreamReader:
    """A JSON object in a stream of UTF-8; ``members()`` walks through it once.

    Every method raises SnapshotError, naming the place, where the text is not JSON, is cut, or cannot be read.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._decode = codecs.getincrementaldecoder("utf-8-sig")().decode
        self._text = ""  # what is in memory
        self._at = 0  # where the next value begins in it
        self._dropped = 0  # characters before it
        self._place = "the file"

    def members(self) -> Iterator[str]:
        """The object's keys. The value of each must be read, by ``items()`` or ``value()``, before the next."""
        if self._next() not in ("{", ""):
            raise self._fault('must hold a JSON object, as in {"instances": [...]}')
        for _ in self._between("{", "}"):
            key = self.value()
            if not isinstance(key, str):
                raise self._fault(f"a key must be a string, not {shown(key)}")
            self._expect(":")
            self._place = key
            yield key
            self._place = "the file"
        if self._next():
            raise self._fault("something follows the end of the object")

    def items(self) -> Iterator[Any]:
        """The items of the list that comes next."""
        key = self._place
        if self._next() not in ("[", ""):
            raise SnapshotError(f"{key}: must be a list, not {shown(self.value())}")
        for index, _ in enumerate(self._between("[", "]")):
            self._place = f"{key}[{index}]"
            yield self.value()
        self._place = key

    def value(self) -> Any:
        """The value that comes next."""
        self._next()
        while True:
            start = self._at
            try:
                value, end = DECODER.raw_decode(self._text, start)
            except json.JSONDecodeError as error:
                if not (self._is_cut(error) and self._more()):
                    raise self._fault(error.msg, self._at + error.pos - start) from None
            except RecursionError:
                raise self._fault("is nested too deeply") from None
            except ValueError as error:  # a number
                raise self._fault(str(error)) from None
            else:
                if end + LONGEST_TAIL < len(self._text) or not self._more():
                    self._at += end - start
                    return value

    def _is_cut(self, error: json.JSONDecodeError) -> bool:
        """Whether the value may be right, once more is read."""
        return error.msg.startswith("Unterminated") or error.pos + LONGEST_TOKEN > len(self._text)

    def _between(self, opening: str, closing: str) -> Iterator[None]:
        """Once before each element of what the brackets hold; passes over brackets and commas."""
        self._expect(opening)
        if self._next() != closing:
            yield
            while self._next() != closing:
                self._expect(",")
                yield
        self._at += 1

    def _next(self) -> str:
        """The next character that is not whitespace, which is not consumed; "" at the end."""
        while not (found := MORE_THAN_WHITESPACE.search(self._text, self._at)):
            self._at = len(self._text)
            if not self._more():
                return ""
        self._at = found.start()
        return found.group()

    def _expect(self, character: str) -> None:
        if self._next() != character:
            raise self._fault(f"Expecting '{character}'", self._at)
        self._at += 1

    def _more(self) -> bool:
        """Read the next chunk behind the text that is not consumed; return False at the end of the stream."""
        rest = self._text[self._at :]
        if len(rest) > LARGEST_VALUE:
            raise self._fault(f"is longer than {LARGEST_VALUE} characters")
        try:
            chunk = self._stream.read(max(CHUNK, len(rest)))
            self._text = rest + self._decode(chunk, not chunk)
        except UnicodeDecodeError as error:
            raise self._fault(f"is not UTF-8: {error.reason}") from None
        except OSError as error:
            raise self._fault(f"cannot be read: {error.strerror}") from None
        self._dropped += self._at
        self._at = 0
        return bool(chunk)

    def _fault(self, reason: str, position: int | None = None) -> SnapshotError:
        if position is None:
            return SnapshotError(f"{self._place}: {reason}")
        if position >= len(self._text.rstrip()) or reason.startswith("Unterminated"):
            return SnapshotError(f"{self._place}: ends before it is complete; the file may have been cut")
        return SnapshotError(f"{self._place}: is not JSON: {reason} at character {self._dropped + position}")
