"""What of a tool's output is passed on: a beginning of its text, with a note; pictures and files whole."""

from typing import Any

import pytest
from agents import ToolOutputFileContent, ToolOutputImage, ToolOutputText

from worker.tool_output import cut

LONG = "x" * 100


@pytest.mark.parametrize(
    "output",
    [
        "short",
        "x" * 10,
        7,
        None,
        [],
        ToolOutputText(text="short"),
        ToolOutputImage(image_url=LONG),
        ToolOutputFileContent(file_data=LONG),
        {"type": "image", "image_url": LONG},
        [ToolOutputText(text="short"), ToolOutputImage(image_url=LONG)],
    ],
    ids=str,
)
def test_what_fits_and_what_cannot_be_cut_passes_as_it_is(output: Any) -> None:
    assert cut(output, 10) == output


@pytest.mark.parametrize("output", [LONG, {"a": LONG}, [LONG], ("type", LONG)], ids=type)
def test_what_is_too_long_is_its_beginning_and_says_of_how_much(output: Any) -> None:
    whole = str(output)
    said = cut(output, 10)
    assert said.startswith(whole[:10] + "\n[Cut here")
    assert str(len(whole)) in said


def test_the_texts_of_a_structured_output_share_the_limit() -> None:
    picture = ToolOutputImage(image_url=LONG)
    parts = [ToolOutputText(text="x" * 6), picture, {"type": "text", "text": "y" * 6}, ToolOutputText(text="z")]
    first, kept, second, third = cut(parts, 10)
    assert (first.text, kept) == ("x" * 6, picture)
    assert second["text"].startswith("yyyy\n[Cut here")
    assert third.text.startswith("\n[Cut here")
