"""Everything the scripted model can say."""

from collections.abc import Mapping
from typing import Any

DEMO = "*This is a demo: no model key is set, so a small scripted model is answering.*\n\n"

NO_SUCH_TOOL = "I understand, but this agent has no tool for that."

HELP = """I am the built-in demo: there is no model key, so I only know a few sentences, but the rest is real. \
The tools, the database and this stream are what a real model would use. Try one of these:

- **add buy milk**, or **remind me to call Ada**
- **what is on my list?**
- **complete buy milk**, **delete buy milk**
- **rename buy milk to buy oat milk**
- **tell me a long story**
- **think about the sea**

To talk to a real model, set `MODEL` and its key, or `GEMINI_API_KEY` alone."""

STORY = """\
The lighthouse at Varn had not been lit for thirty years when Ilse moved in with two suitcases, a kettle and \
a cat named Tuesday.

The village told her the lamp was broken. The baker said the glass had cracked in a storm. The postman said \
the clockwork had rusted solid. The oldest fisherman only shook his head and said that the light had grown \
tired of being looked at by people who never waved back.

Ilse was a mender of clocks, so on the first evening she climbed the ninety-one steps with a lantern and a \
small brass screwdriver. The glass was whole. The clockwork was clean. Behind the great lens, somebody had \
left a chair, a blanket and a notebook, in which the last keeper had written down every ship that had ever \
answered him with a light of its own. The entries came daily at first, then weekly, then once a winter. The \
final line said: *nobody tonight, either.*

She wound the clockwork, trimmed the wick, and struck a match. The beam went out over the black water like a \
long, slow arm. Tuesday followed it with her eyes, round and round, and fell asleep.

For six nights nothing happened. Ilse mended the baker's watch and the schoolhouse clock, and told everyone \
she met, quite casually, that the light was on again.

On the seventh night, a lamp blinked twice from the harbour wall. Then another, from the bakery roof. Then \
the postman's bicycle, then kitchen windows, one after the other, all the way up the hill. Far out, a ship \
that had only meant to pass by flashed three times and changed its course towards home.

Ilse opened the notebook, turned to a new page, and wrote for a long time.

The lighthouse at Varn has not been dark since. If you ever sail past it, remember to wave."""


def tasks(result: Any) -> str:
    """The user's list, the open tasks first."""
    if error := _error(result):
        return error
    found = sorted(known(result), key=lambda task: bool(task.get("completed")))
    if not found:
        return "Your list is empty. Say **add buy milk**, and it will not be."
    still_open = sum(1 for task in found if not task.get("completed"))
    head = "Everything on your list is done:" if not still_open else f"You have {_counted(still_open)} to do:"
    return f"{head}\n\n{_bullets(found)}"


def added(results: list[Any]) -> str:
    if error := next((_error(result) for result in results if _error(result)), None):
        return error
    titles = [_name(result) for result in results]
    named = titles[0] if len(titles) == 1 else f"{', '.join(titles[:-1])} and {titles[-1]}"
    return f"Done: {named} {'is' if len(titles) == 1 else 'are'} on your list now."


def changed(tool: str, result: Any) -> str:
    if error := _error(result):
        return error
    title = _name(result)
    match tool:
        case "complete_task":
            return f"Well done: {title} is finished."
        case "delete_task":
            return f"{title} is off your list."
        case _:
            return f"It is called {title} now."


def not_found(title: str, result: Any) -> str:
    if error := _error(result):
        return error
    if not known(result):
        return f"There is no **{title}** on your list; it is empty."
    return f"There is no **{title}** on your list. This is what I see:\n\n{_bullets(known(result))}"


def thoughts(about: str) -> str:
    return (
        f"The user wants me to think about {about}. I am a script, so I cannot really think, but I can show what it "
        f"looks like when a model does: first its thoughts, one after the other, and only then an answer."
    )


def opinion(about: str) -> str:
    return (
        f"I have turned **{about}** over for a while. What you saw before this answer were thoughts, streamed the way "
        "a reasoning model streams them.\n\nA real model would now have something clever to say. I will leave it at "
        "this: whatever you are planning, writing it down is a good start. Shall I **add** it to your list?"
    )


def known(result: Any) -> list[Mapping[str, Any]]:
    """The tasks in a result of `list_tasks`."""
    return [task for task in result if isinstance(task, Mapping)] if isinstance(result, list) else []


def _error(result: Any) -> str | None:
    """What to say of a result that is no task and no list."""
    if isinstance(result, Mapping) and "error" in result:
        return f"That did not work: {result['error']}"
    return None if isinstance(result, Mapping | list) else "The task list gave no answer that I can read."


def _name(result: Any) -> str:
    return f"**{result.get('title')}**" if isinstance(result, Mapping) else "it"


def _counted(number: int) -> str:
    return "one thing" if number == 1 else f"{number} things"


def _bullets(found: list[Mapping[str, Any]]) -> str:
    titles = (f"~~{task.get('title')}~~ ✓" if task.get("completed") else task.get("title") for task in found)
    return "\n".join(f"- {title}" for title in titles)
