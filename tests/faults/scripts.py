"""What the model says in these tests."""

from tests.faults.waiting import until
from tests.model_endpoint import Call, Calls, Endpoint, Received, Scripted, Text

__all__ = ["Call", "Calls", "Text", "asked", "first_time", "story", "tokens", "tool_results"]


def story(words: int, name: str = "word") -> str:
    """So many distinct words."""
    return " ".join(f"{name}{number}" for number in range(1, words + 1))


def first_time(model: Endpoint, contains: str, first: Scripted, then: Scripted) -> None:
    """`first` to the first request that says this, `then` to every later one."""
    said: list[Received] = []

    def choose(request: Received) -> Scripted | None:
        if contains not in request.user:
            return None
        said.append(request)
        return first if len(said) == 1 else then

    model.answers(choose)


def asked(model: Endpoint, contains: str) -> list[Received]:
    """The requests whose last user message says this."""
    return [request for request in list(model.requests) if contains in request.user]


def tokens(model: Endpoint, contains: str, count: int, *, nth: int = 0) -> Received:
    """Wait until the n-th request that says this has been sent so many tokens."""

    def state() -> Received | None:
        found = asked(model, contains)
        return found[nth] if len(found) > nth and found[nth].tokens >= count else None

    return until(state, f"{count} tokens of {contains!r}")


def tool_results(request: Received) -> list[str]:
    """What the model was told of its tool calls."""
    return [str(message["content"]) for message in request.messages if message["role"] == "tool"]
