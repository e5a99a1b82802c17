"""What a server is told of a request."""

from shared.context import RequestContext
from shared.identity import Principal


def test_the_context_knows_whose_request_it_is() -> None:
    context = RequestContext(Principal("ann"), "de", {"page": 1})
    assert (context.user_id, context.locale, context.metadata) == ("ann", "de", {"page": 1})


def test_two_requests_share_no_metadata() -> None:
    assert RequestContext(Principal("a")).metadata is not RequestContext(Principal("b")).metadata
