"""Tools as a team would write them, that keep a ledger and stop at gates; and the bad ones of row 26."""

import asyncio
import os
import signal
import time
from typing import Any

from agents import RunContextWrapper, Tool, function_tool
from chatkit.agents import AgentContext, ClientToolCall
from chatkit.types import CustomTask, Workflow

from tests.faults.gates import blocking_gate, gate
from tests.faults.ledger import called, effect
from worker.effects import idempotency_key, idempotent, keyed

Context = RunContextWrapper[AgentContext[Any]]


@function_tool
async def note(label: str) -> str:
    """Write a note; says nothing about being repeatable."""
    await called("note", label)
    await gate(f"{label}.before")
    await effect("note", label)
    await gate(f"{label}.after")
    return f"noted {label}"


@function_tool
@idempotent
async def put(label: str) -> str:
    """Set a value: twice is as good as once."""
    await called("put", label)
    await gate(f"{label}.before")
    await effect("put", label, f"put {label}")
    await gate(f"{label}.after")
    return f"put {label}"


@function_tool
@keyed
async def pay(label: str) -> str:
    """Pay, through a provider that knows a repetition by its key."""
    key = idempotency_key()
    await called("pay", label, key)
    await gate(f"{label}.before")
    await effect("pay", label, key)
    await gate(f"{label}.after")
    return f"paid {label}"


@function_tool
async def shown_note(context: Context, label: str) -> str:
    """Write a note, and show a task of a workflow meanwhile."""
    await called("shown_note", label)
    await context.context.start_workflow(Workflow(type="custom", tasks=[]))
    await context.context.add_workflow_task(CustomTask(title=f"Noting {label}"))
    await gate(f"{label}.before")
    await effect("shown_note", label)
    await context.context.end_workflow()
    await gate(f"{label}.after")
    return f"noted {label}"


@function_tool
@idempotent
async def crash(label: str) -> str:
    """End the worker."""
    await called("crash", label)
    os.kill(os.getpid(), signal.SIGKILL)
    await asyncio.sleep(60)
    return "never"


@function_tool
async def block(label: str) -> str:
    """Hold up the whole event loop, as a call to a blocking library would."""
    await called("block", label)
    blocking_gate(f"{label}.started")
    time.sleep(10)  # noqa: ASYNC251  (the fault)
    await effect("block", label)
    return f"blocked {label}"


@function_tool(failure_error_function=None)
async def raises(label: str) -> str:
    """Fail."""
    raise RuntimeError(f"the tool's own words about {label}")


@function_tool
async def hangs(label: str) -> str:
    """Never come back."""
    await called("hangs", label)
    await asyncio.sleep(3600)
    return "never"


@function_tool
async def huge(label: str) -> str:
    """Ten megabytes."""
    return "x" * 10_000_000


@function_tool
async def unstorable(label: str) -> str:
    """A NUL and a lone surrogate."""
    return f"{label}: \x00 and \ud800"


@function_tool
async def stubborn(label: str) -> str:
    """Ignore every cancellation for a while."""
    await called("stubborn", label)
    end = time.monotonic() + 4
    while time.monotonic() < end:
        try:
            await gate(f"{label}.before")
            await asyncio.sleep(0.05)
        except asyncio.CancelledError:
            continue
    await effect("stubborn", label)
    return f"did {label} all the same"


@function_tool
def sleepy(label: str) -> str:
    """A plain function that takes its time in a thread."""
    blocking_gate(f"{label}.before")
    return f"slept over {label}"


@function_tool
async def long_one(label: str) -> str:
    """Say nothing for a long time."""
    await called("long_one", label)
    await gate(f"{label}.before")
    await effect("long_one", label)
    return f"took long over {label}"


@function_tool
async def ask_the_browser(context: Context, label: str) -> str:
    """A client tool: the browser is to answer."""
    await called("ask_the_browser", label)
    context.context.client_tool_call = ClientToolCall(name="ask_the_browser", arguments={"label": label})
    return "asked"


PLAIN: list[Tool] = [note, put, pay, shown_note, sleepy, long_one]
BAD: list[Tool] = [crash, block, raises, hangs, huge, unstorable, stubborn]
