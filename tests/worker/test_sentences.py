"""Sentences and what they mean to the scripted model."""

import pytest

from worker.scripted.sentences import Add, Complete, Delete, Intent, Other, Rename, Show, Story, Think, understand


@pytest.mark.parametrize(
    ("sentence", "intent"),
    [
        ("add buy milk", Add(("buy milk",))),
        ("ADD Buy Milk to my list.", Add(("Buy Milk",))),
        ("Add a task to buy milk", Add(("buy milk",))),
        ("add a task: fix the tap", Add(("fix the tap",))),
        ("could you please remind me to water the plants?", Add(("water the plants",))),
        ("hi, add milk and bread", Add(("milk", "bread"))),
        ("add milk, bread, and eggs", Add(("milk", "bread", "eggs"))),
        ('add "bread and butter"', Add(("bread and butter",))),
        ("what is on my list", Show()),
        ("What's on my list?", Show()),
        ("list", Show()),
        ("Show my tasks!", Show()),
        ("what do i have to do today?", Show()),
        ("complete buy milk", Complete("buy milk")),
        ("finish the task buy milk", Complete("buy milk")),
        ("done with buy milk", Complete("buy milk")),
        ("mark buy milk as done", Complete("buy milk")),
        ("buy milk is done", Complete("buy milk")),
        ("delete buy milk", Delete("buy milk")),
        ("please remove buy milk from my list", Delete("buy milk")),
        ("rename buy milk to buy oat milk", Rename((("buy milk", "buy oat milk"),))),
        ("Tell me a long story", Story()),
        ("think about the sea", Think("the sea")),
        ("hello", Other()),
        ("add", Other()),
        ("", Other()),
    ],
)
def test_a_sentence_is_understood(sentence: str, intent: Intent) -> None:
    assert understand(sentence) == intent
