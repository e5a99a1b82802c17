"""How many tokens a model's response took: as its provider says, or by a rule of thumb where it says nothing."""

import json
from typing import Any

from openai.types.responses import Response
from pydantic_core import to_jsonable_python

CHARACTERS_PER_TOKEN = 4
"""A rule of thumb; counting exactly would need each provider's own tokenizer."""


def tokens_of(asked: Any, response: Response) -> int:
    """Of one response and what it was asked with: some models do not count, and must not be free."""
    if response.usage is not None and response.usage.total_tokens:
        return response.usage.total_tokens
    said = [to_jsonable_python(asked, fallback=str), [item.model_dump(mode="json") for item in response.output]]
    return len(json.dumps(said)) // CHARACTERS_PER_TOKEN
