"""`make run EXAMPLE=expenses`."""

from examples.expenses.server import ExpensesServer as Server

__all__ = ["Server"]
