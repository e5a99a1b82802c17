"""The default agent."""

from agents import FunctionTool
from agents.testing import ScriptedModel

from shared.database import Database
from worker.agent import build_agent
from worker.effects import Effect, effect_of


def test_it_has_the_five_tools_of_a_list_and_none_takes_a_user() -> None:
    agent = build_agent(ScriptedModel([]), Database("postgresql://nowhere"))
    tools = {tool.name: tool for tool in agent.tools if isinstance(tool, FunctionTool)}
    assert set(tools) == {"add_task", "list_tasks", "update_task", "complete_task", "delete_task"}
    taken = {name for tool in tools.values() for name in tool.params_json_schema["properties"]}
    assert taken == {"title", "task_id"}
    assert {effect_of(tool) for tool in tools.values()} == {Effect.IDEMPOTENT}
