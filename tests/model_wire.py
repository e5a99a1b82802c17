"""How a reply is written for each kind of client: OpenAI's chat completions, and Gemini's own stream."""

import json
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from tests.model_replies import Reply, deltas, words


@dataclass(frozen=True)
class Wire:
    """`frames` gives a frame per token, `end` what says that the answer is whole."""

    streams: Callable[[dict[str, Any]], bool]
    whole: Callable[[Reply], dict[str, Any]]
    frames: Callable[[str, Reply], Iterator[bytes]]
    end: Callable[[str, Reply, int], bytes]


def _frame(body: object) -> bytes:
    return f"data: {json.dumps(body)}\n\n".encode()


def _usage(tokens: int) -> dict[str, int]:
    return {"prompt_tokens": 11, "completion_tokens": tokens, "total_tokens": 11 + tokens}


def _chunk(completion_id: str, choices: list[dict[str, Any]], **fields: Any) -> bytes:
    head = {"id": completion_id, "object": "chat.completion.chunk", "created": 1, "model": "test"}
    return _frame({**head, "choices": choices, **fields})


def _chat_frames(completion_id: str, reply: Reply) -> Iterator[bytes]:
    for delta in deltas(reply):
        yield _chunk(completion_id, [{"index": 0, "delta": delta, "finish_reason": None}])


def _chat_end(completion_id: str, reply: Reply, tokens: int) -> bytes:
    finish = _chunk(completion_id, [{"index": 0, "delta": {}, "finish_reason": reply.finish_reason}])
    return finish + _chunk(completion_id, [], usage=_usage(tokens)) + b"data: [DONE]\n\n"


def _chat_whole(reply: Reply) -> dict[str, Any]:
    calls = [
        {
            "id": call.id if call.id is not None else f"call_{uuid.uuid4().hex[:12]}",
            "type": "function",
            "function": {"name": call.name, "arguments": json.dumps(call.arguments)},
        }
        for call in reply.calls
    ]
    message = {"role": "assistant", "content": reply.text or None, **({"tool_calls": calls} if calls else {})}
    return {
        "id": f"chatcmpl-{uuid.uuid4().hex}",
        "object": "chat.completion",
        "created": 1,
        "model": "test",
        "choices": [{"index": 0, "message": message, "finish_reason": reply.finish_reason}],
        "usage": _usage(sum(1 for _ in deltas(reply))),
    }


def _gemini_parts(reply: Reply) -> Iterator[dict[str, Any]]:
    for word in words(reply.reasoning):
        yield {"text": word, "thought": True}
    for word in words(reply.text):
        yield {"text": word}
    for call in reply.calls:
        signature = f"signature of {call.name}"
        yield {"functionCall": {"name": call.name, "args": dict(call.arguments)}, "thoughtSignature": signature}


def _gemini_body(parts: list[dict[str, Any]], **candidate: Any) -> dict[str, Any]:
    return {"candidates": [{"content": {"role": "model", "parts": parts}, "index": 0, **candidate}]}


def _gemini_frames(completion_id: str, reply: Reply) -> Iterator[bytes]:
    for part in _gemini_parts(reply):
        yield _frame({**_gemini_body([part]), "responseId": completion_id})


def _gemini_end(completion_id: str, reply: Reply, tokens: int) -> bytes:
    counts = {"promptTokenCount": 11, "candidatesTokenCount": tokens, "totalTokenCount": 11 + tokens}
    body = _gemini_body([{"text": ""}], finishReason=reply.finish or "STOP")
    return _frame({**body, "usageMetadata": counts, "responseId": completion_id})


CHAT = Wire(lambda body: bool(body.get("stream")), _chat_whole, _chat_frames, _chat_end)
GEMINI = Wire(lambda _: True, lambda _: {}, _gemini_frames, _gemini_end)
