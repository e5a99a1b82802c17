"""`make run EXAMPLE=kitchen`."""

from examples.kitchen.server import KitchenServer as Server

__all__ = ["Server"]
