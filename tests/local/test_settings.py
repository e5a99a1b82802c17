"""What `python -m local` itself looks at."""

import pytest

from local.settings import LocalSettings


@pytest.mark.parametrize(
    ("host", "dev_token", "is_open"),
    [("127.0.0.1", True, False), ("localhost", True, False), ("0.0.0.0", True, True), ("0.0.0.0", False, False)],
)
def test_tokens_for_anyone_on_an_open_address_are_noticed(host: str, dev_token: bool, is_open: bool) -> None:
    assert LocalSettings(host=host, dev_token=dev_token).is_open_to_all is is_open
