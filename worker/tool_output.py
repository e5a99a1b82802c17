"""How much of a tool's output its model is given, and what it is told of the rest."""

from collections.abc import Iterator
from typing import Any

from agents import ToolOutputFileContent, ToolOutputImage, ToolOutputText

STRUCTURED = (ToolOutputText, ToolOutputImage, ToolOutputFileContent)
_TYPES = {"text", "image", "file"}


def cut(output: Any, limit: int) -> Any:
    """The output with at most `limit` characters of text, and a note where that is not all of it.

    Pictures and files pass as they are: half of one is none.
    """
    match output:
        case str():
            return cut_text(output, limit)
        case list() | tuple() if output and all(_is_part(part) for part in output):
            return list(_parts(output, limit))
        case _ if _is_part(output):
            return next(_parts([output], limit))
        case _:
            words = str(output)
            return output if len(words) <= limit else cut_text(words, limit)


def cut_text(text: str, limit: int) -> str:
    """The text, or its beginning and a note for whoever reads on."""
    if len(text) <= limit:
        return text
    return f"{text[:limit]}\n[Cut here: the whole output has {len(text)} characters, more than can be read.]"


def _parts(parts: Any, limit: int) -> Iterator[Any]:
    """The parts of a structured output, which share the limit."""
    for part in parts:
        match part:
            case ToolOutputText(text=text):
                yield part.model_copy(update={"text": cut_text(text, limit)})
            case {"type": "text", "text": str(text)}:
                yield {**part, "text": cut_text(text, limit)}
            case _:
                text = ""
                yield part
        limit = max(limit - len(text), 0)


def _is_part(output: Any) -> bool:
    return isinstance(output, STRUCTURED) or (isinstance(output, dict) and output.get("type") in _TYPES)
