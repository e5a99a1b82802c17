"""HTTP in, SSE out. Knows no model, no tool, no agent."""
