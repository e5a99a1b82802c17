"""An MCP server with one tool, in the worker's own process."""

from typing import Any

from agents.mcp import MCPServer
from mcp.types import CallToolResult, GetPromptResult, ListPromptsResult, TextContent
from mcp.types import Tool as MCPTool

from tests.faults.gates import gate
from tests.faults.ledger import called, effect

_SCHEMA = {"type": "object", "properties": {"label": {"type": "string"}}, "required": ["label"]}


class Desk(MCPServer):
    """`file(label)`: puts something on file. Says nothing about being repeatable."""

    def __init__(self) -> None:
        super().__init__()

    @property
    def name(self) -> str:
        return "desk"

    async def connect(self) -> None: ...

    async def cleanup(self) -> None: ...

    async def list_tools(self, run_context: Any = None, agent: Any = None) -> list[MCPTool]:
        return [MCPTool(name="file", description="Puts something on file.", inputSchema=_SCHEMA)]

    async def call_tool(
        self, tool_name: str, arguments: dict[str, Any] | None, meta: dict[str, Any] | None = None
    ) -> CallToolResult:
        label = str((arguments or {})["label"])
        await called("file", label)
        await gate(f"{label}.before")
        await effect("file", label)
        await gate(f"{label}.after")
        return CallToolResult(content=[TextContent(type="text", text=f"filed {label}")])

    async def list_prompts(self) -> ListPromptsResult:
        return ListPromptsResult(prompts=[])

    async def get_prompt(self, name: str, arguments: dict[str, Any] | None = None) -> GetPromptResult:
        raise LookupError(name)
