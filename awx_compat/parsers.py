import codecs
import json
import re
from collections import OrderedDict
from typing import Any

from rest_framework import parsers
from rest_framework.exceptions import ParseError

HINT = "\nPossible cause: trailing comma."

# In JSON that could be read: a whole surrogate pair, one half of such, which is no text that could be stored or sent
# (group 1), or any other escape. UTF-8 itself holds no halves.
ESCAPES = re.compile(r"\\(?:u[dD][89abAB]..\\u[dD][c-fC-F]..|(u[dD][89a-fA-F]..)|.)")


class BodyError(ParseError):
    """The body of the request cannot be read."""


class JSONParser(parsers.BaseParser):
    """JSON objects, or null; an empty body counts as an empty object. Errors as AWX words them.

    What a field cannot take of NaN and null the serializers say, as in AWX. Its messages name the type OrderedDict.
    """

    media_type = "application/json"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        try:
            text = codecs.decode(stream.read(), "utf-8-sig")
            data = json.loads(text, object_pairs_hook=OrderedDict) if text else {}
        except RecursionError:
            raise BodyError("JSON parse error - it is nested too deeply") from None
        except json.JSONDecodeError as error:
            raise BodyError(f"JSON parse error - {error}{HINT}") from None
        except UnicodeError as error:
            raise BodyError(f"JSON parse error - {error}") from None
        except ValueError:  # Python's advice on its own limits is none for a client
            raise BodyError("JSON parse error - a number in it has too many digits") from None
        if any(escape[1] for escape in ESCAPES.finditer(text)):
            raise BodyError("JSON parse error - it holds one half of a surrogate pair")
        if not (isinstance(data, dict) or data is None):
            raise BodyError("JSON parse error - not a JSON object")
        return data
