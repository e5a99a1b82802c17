"""The recipes, and the card that shows one."""

from dataclasses import dataclass

from chatkit.actions import ActionConfig
from chatkit.widgets import DynamicWidgetRoot


@dataclass(frozen=True)
class Recipe:
    """A dish and what goes into it."""

    name: str
    ingredients: tuple[str, ...]


RECIPES = (
    Recipe("Tomato soup", ("tomatoes", "onions", "basil")),
    Recipe("Pancakes", ("flour", "eggs", "milk")),
    Recipe("Rösti", ("potatoes", "butter")),
)


def with_ingredient(ingredient: str) -> Recipe | None:
    """A recipe that uses it."""
    wanted = ingredient.casefold().rstrip("s")
    return next((one for one in RECIPES if any(wanted in used for used in one.ingredients)), None)


def card(recipe: Recipe, *, note: str = "") -> DynamicWidgetRoot:
    """The recipe's card; the note says what has been done with it."""
    pressed = {"recipe": recipe.name}
    shop = ActionConfig(type="recipe.shop", payload=pressed, loadingBehavior="container")
    favourite = ActionConfig(type="recipe.favourite", payload=pressed, streaming=False)
    buttons = [
        {"type": "Button", "label": "Add to my shopping list", "onClickAction": shop.model_dump()},
        {"type": "Button", "label": "Favourite", "onClickAction": favourite.model_dump()},
    ]
    lines = [{"type": "Text", "value": f"· {ingredient}"} for ingredient in recipe.ingredients]
    caption = [{"type": "Caption", "value": note}] if note else []
    title = {"type": "Title", "value": recipe.name}
    return DynamicWidgetRoot.model_validate({"type": "Card", "children": [title, *lines, *caption, *buttons]})
