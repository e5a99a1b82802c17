"""The scripted model under the agents SDK, with tools like the real ones."""

import json
import time
from typing import Any

import pytest
from agents import Agent, FunctionTool, Runner, TResponseInputItem, function_tool
from agents.result import RunResultStreaming

from tests.worker.asking import answered, asked, calls_of, heard, text_of
from worker.scripted import ScriptedModel
from worker.scripted.model import SECONDS_PER_WORD
from worker.scripted.words import STORY

pytestmark = pytest.mark.anyio

ALL = ("add_task", "list_tasks", "update_task", "complete_task", "delete_task")


class Todo:
    """A list in memory behind tools with the real names, and a conversation with the scripted model about it."""

    def __init__(self) -> None:
        self.tasks: dict[str, dict[str, Any]] = {}
        self.called: list[str] = []
        self.history: list[TResponseInputItem] = []
        self.agent = Agent[None]("todo", model=ScriptedModel(seconds_per_word=0), tools=self._tools())

    async def say(self, sentence: str) -> str:
        self.called.clear()
        result: RunResultStreaming = Runner.run_streamed(
            self.agent, [*self.history, {"role": "user", "content": sentence}]
        )
        async for _ in result.stream_events():
            pass
        self.history = result.to_input_list()
        return str(result.final_output)

    @property
    def titles(self) -> list[str]:
        return [task["title"] for task in self.tasks.values()]

    def _change(self, tool: str, task_id: str, **changes: Any) -> str:
        self.called.append(tool)
        if task_id not in self.tasks:
            return json.dumps({"error": "there is no such task"})
        self.tasks[task_id].update(changes)
        return json.dumps(self.tasks[task_id])

    def _tools(self) -> list[Any]:
        def add_task(title: str) -> str:
            self.tasks[f"task_{len(self.tasks)}"] = {
                "id": f"task_{len(self.tasks)}",
                "title": title,
                "completed": False,
            }
            return self._change("add_task", f"task_{len(self.tasks) - 1}")

        def list_tasks() -> str:
            self.called.append("list_tasks")
            return json.dumps(list(self.tasks.values()))

        def update_task(task_id: str, title: str) -> str:
            return self._change("update_task", task_id, title=title)

        def complete_task(task_id: str) -> str:
            return self._change("complete_task", task_id, completed=True)

        def delete_task(task_id: str) -> str:
            told = self._change("delete_task", task_id)
            self.tasks.pop(task_id, None)
            return told

        return [function_tool(tool) for tool in (add_task, list_tasks, update_task, complete_task, delete_task)]


async def test_a_list_is_kept_by_talking() -> None:
    todo = Todo()
    assert "**buy milk** is on your list" in await todo.say("Add buy milk")
    assert "**call Ada** is on your list" in await todo.say("please remind me to call Ada")
    assert "You have 2 things to do:\n\n- buy milk\n- call Ada" in await todo.say("What is on my list?")
    assert "**buy milk** is finished" in await todo.say("complete BUY MILK")
    assert todo.called == ["list_tasks", "complete_task"]
    assert "**call Grace**" in await todo.say("rename call Ada to call Grace")
    assert "You have one thing to do:\n\n- call Grace\n- ~~buy milk~~ ✓" in await todo.say("show my tasks")
    assert "**call Grace** is off your list" in await todo.say("delete call Grace")
    assert todo.titles == ["buy milk"]


async def test_several_tasks_are_added_by_parallel_calls() -> None:
    todo = Todo()
    assert "**milk**, **bread** and **eggs** are on your list" in await todo.say("add milk, bread and eggs to my list")
    assert todo.titles == ["milk", "bread", "eggs"]
    assert todo.called == ["add_task"] * 3


async def test_the_first_answer_alone_says_that_this_is_a_demo() -> None:
    todo = Todo()
    assert (await todo.say("add buy milk")).startswith("*This is a demo: no model key is set")
    assert "demo" not in await todo.say("add buy bread")


async def test_anything_else_is_answered_with_what_it_understands() -> None:
    todo = Todo()
    for sentence in ("what is the weather?", "", "?!", "add", "rename it", "x" * 100_000):
        answer = await todo.say(sentence)
        assert "I am the built-in demo: there is no model key" in answer
        assert "**add buy milk**" in answer
    assert todo.called == []


async def test_a_task_that_is_not_there_is_not_touched() -> None:
    todo = Todo()
    assert "it is empty" in await todo.say("complete buy milk")
    await todo.say("add buy bread")
    assert "There is no **buy milk** on your list. This is what I see:\n\n- buy bread" in await todo.say(
        "delete buy milk"
    )
    assert todo.called == ["list_tasks"]


async def test_a_title_may_hold_the_words_that_part_a_sentence() -> None:
    todo = Todo()
    await todo.say("add a task to go to the shop and buy milk")
    await todo.say("rename go to the shop and buy milk to go to the market")
    assert todo.titles == ["go to the market"]


async def test_a_tool_that_fails_is_told() -> None:
    todo = Todo()
    result: list[TResponseInputItem] = [
        {"role": "user", "content": "add milk"},
        {"type": "function_call", "call_id": "c", "name": "add_task", "arguments": '{"title": "milk"}'},
        {"type": "function_call_output", "call_id": "c", "output": '{"error": "the list is full"}'},
    ]
    assert "That did not work: the list is full" in text_of(await heard(todo.agent.model, result, tools=ALL))  # type: ignore[arg-type]
    result[-1] = {"type": "function_call_output", "call_id": "c", "output": "Traceback: something"}
    told = text_of(await heard(todo.agent.model, result, tools=ALL))  # type: ignore[arg-type]
    assert "gave no answer that I can read" in told
    assert "Traceback" not in told


async def test_a_tool_that_the_agent_does_not_have_is_never_called() -> None:
    events = await heard(ScriptedModel(seconds_per_word=0), "add buy milk", tools=("other",))
    assert calls_of(events) == []
    assert "no tool for that" in text_of(events)


async def test_what_chatkit_says_in_the_users_name_is_not_the_users_sentence() -> None:
    question: list[TResponseInputItem] = [
        {"role": "user", "content": [{"type": "input_text", "text": "what is on my list"}]},
        {"role": "user", "content": "<HiddenContext>\nadd treason\n</HiddenContext>"},
    ]
    (call,) = calls_of(await heard(ScriptedModel(seconds_per_word=0), question, tools=ALL))
    assert call.name == "list_tasks"


@pytest.mark.parametrize("question", ["tell me a long story", "think about the sea", "add milk and bread"])
async def test_events_come_as_the_responses_api_sends_them(question: str) -> None:
    events = await heard(ScriptedModel(seconds_per_word=0), question, tools=ALL)
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert events[0].type == "response.created"
    assert events[-1].type == "response.completed"
    output = events[-1].response.output
    assert [e.item for e in events if e.type == "response.output_item.done"] == output
    assert [e.item.id for e in events if e.type == "response.output_item.added"] == [item.id for item in output]
    assert [(e.output_index) for e in events if e.type == "response.output_item.done"] == list(range(len(output)))
    assert events[-1].response.usage is not None
    assert events[-1].response.usage.output_tokens == len([e for e in events if e.type.endswith(".delta")])


async def test_a_text_is_the_sum_of_its_words() -> None:
    events = await heard(ScriptedModel(seconds_per_word=0), "tell me a long story")
    (whole,) = (event.text for event in events if event.type == "response.output_text.done")
    assert text_of(events) == whole
    assert all(len(e.delta.split()) <= 1 for e in events if e.type == "response.output_text.delta")


async def test_thinking_comes_before_the_answer() -> None:
    events = await heard(ScriptedModel(seconds_per_word=0), "think about the sea")
    kinds = [event.type for event in events]
    assert kinds.index("response.reasoning_summary_text.done") < kinds.index("response.output_text.delta")
    thoughts = "".join(e.delta for e in events if e.type == "response.reasoning_summary_text.delta")
    assert "the sea" in thoughts
    assert "the sea" in text_of(events)


def test_the_story_is_long() -> None:
    assert len(STORY.split()) >= 200
    assert len(STORY.split()) * SECONDS_PER_WORD >= 8


async def test_words_come_no_faster_than_the_models_own_pace() -> None:
    model = ScriptedModel(seconds_per_word=0.01)
    times = [time.monotonic() async for event in asked(model, "think about it") if event.type.endswith(".delta")]
    assert len(times) > 60
    assert times[-1] - times[0] >= (len(times) - 2) * 0.01


async def test_the_whole_response_is_had_at_once_too() -> None:
    response = await answered(ScriptedModel(seconds_per_word=0), "hello")
    assert response.usage.output_tokens > 50
    assert len(response.output) == 1


def test_the_tools_are_those_of_the_default_agent() -> None:
    assert {tool.name for tool in Todo().agent.tools if isinstance(tool, FunctionTool)} == set(ALL)
