"""The default agent: a todo list that one can talk to."""

from agents import Agent, Model
from chatkit.agents import AgentContext

from shared.context import RequestContext
from shared.database import Database
from worker.tools.tasks import TaskTools

INSTRUCTIONS = """\
You are a friendly assistant who keeps the user's todo list.
Use the tools for every question about tasks and every change to them; never invent a task or an id.
Before you complete, rename or delete a task whose id you do not know, list the tasks.
When you have changed something, say so in one short sentence. Answer in the user's language, in Markdown.
"""


def build_agent(model: Model, database: Database) -> Agent[AgentContext[RequestContext]]:
    """The agent on this model, with its tools on this database."""
    return Agent(name="Todo", instructions=INSTRUCTIONS, model=model, tools=TaskTools(database).all())
