"""What the scripted model does next: says something, or calls tools."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, assert_never

from worker.scripted import words
from worker.scripted.conversation import Conversation, Step
from worker.scripted.sentences import Add, Complete, Delete, Intent, Other, Rename, Show, Story, Think, understand


@dataclass(frozen=True)
class Speech:
    text: str
    thoughts: str = ""


@dataclass(frozen=True)
class ToolUse:
    tool: str
    arguments: Mapping[str, str]


Turn = Speech | tuple[ToolUse, ...]


def next_turn(conversation: Conversation, tools: set[str]) -> Turn:
    """The next turn by what has been said and done; a tool that the agent does not have is never called."""
    turn = _turn(understand(conversation.sentence), conversation.steps)
    if isinstance(turn, tuple):
        if all(use.tool in tools for use in turn):
            return turn
        turn = Speech(words.NO_SUCH_TOOL)
    return Speech(words.DEMO + turn.text, turn.thoughts) if conversation.is_new else turn


def _turn(intent: Intent, steps: tuple[Step, ...]) -> Turn:
    match intent:
        case Add(titles):
            return _add(titles, steps)
        case Show():
            return _show(steps)
        case Complete(title):
            return _change(((title, ""),), "complete_task", steps)
        case Delete(title):
            return _change(((title, ""),), "delete_task", steps)
        case Rename(readings):
            return _change(readings, "update_task", steps)
        case Think() | Story() | Other():
            return _speech(intent)
        case _:
            assert_never(intent)


def _speech(intent: Think | Story | Other) -> Speech:
    match intent:
        case Think(about):
            return Speech(words.opinion(about), words.thoughts(about))
        case Story():
            return Speech(words.STORY)
        case Other():
            return Speech(words.HELP)
        case _:
            assert_never(intent)


def _show(steps: tuple[Step, ...]) -> Turn:
    listed = _last(steps, "list_tasks")
    return Speech(words.tasks(listed.result)) if listed else (ToolUse("list_tasks", {}),)


def _add(titles: tuple[str, ...], steps: tuple[Step, ...]) -> Turn:
    added = [step.result for step in steps if step.tool == "add_task"]
    if added:
        return Speech(words.added(added))
    return tuple(ToolUse("add_task", {"title": title}) for title in titles)


def _change(readings: tuple[tuple[str, str], ...], tool: str, steps: tuple[Step, ...]) -> Turn:
    """Looks the task up, then changes it, then says so. Each reading is a title to look for, and a new one."""
    if done := _last(steps, tool):
        return Speech(words.changed(tool, done.result))
    listed = _last(steps, "list_tasks")
    if listed is None:
        return (ToolUse("list_tasks", {}),)
    for same in (_same, _holds):  # of all readings, one that names a task exactly is meant
        for title, new_title in readings:
            if task := _find(title, listed.result, same):
                changes = {"title": new_title} if new_title else {}
                return (ToolUse(tool, {"task_id": str(task.get("id")), **changes}),)
    return Speech(words.not_found(readings[0][0], listed.result))


def _last(steps: tuple[Step, ...], tool: str) -> Step | None:
    return next((step for step in reversed(steps) if step.tool == tool), None)


def _find(title: str, tasks: Any, same: Callable[[str, str], bool]) -> Mapping[str, Any] | None:
    """The task that is meant, an open one rather than a finished one."""
    found = [task for task in words.known(tasks) if same(str(task.get("title")).casefold(), title.casefold())]
    return min(found, key=lambda task: bool(task.get("completed")), default=None)


def _same(title: str, wanted: str) -> bool:
    return title == wanted


def _holds(title: str, wanted: str) -> bool:
    return bool(wanted) and wanted in title
