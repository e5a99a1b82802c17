"""Anyone's ChatKitServer: CHATKIT_SERVER and CHATKIT_CONTEXT, found, built and put on our store."""

import importlib
import inspect
from collections.abc import Awaitable, Callable
from typing import Any

from agents import set_tracing_disabled
from chatkit.server import ChatKitServer
from chatkit.store import AttachmentStore, Store

from shared.context import RequestContext
from worker.request import BuildContext


class UnusableServer(ValueError):
    """CHATKIT_SERVER or CHATKIT_CONTEXT names something that cannot be used. Its text is for the operator."""


def load_server(name: str, *, store: Store[Any], attachment_store: AttachmentStore[Any] | None) -> ChatKitServer[Any]:
    """The server that `package.module:name` is or makes: a class, a factory, or a server. Raises UnusableServer.

    It works on our store, whatever store it made for itself, and keeps an attachment store of its own.
    """
    # Before the team's module, which may switch it on again: else inputs and outputs of every run go to OpenAI.
    set_tracing_disabled(True)
    found = _imported("CHATKIT_SERVER", name)
    server = found if isinstance(found, ChatKitServer) else _made(name, found, store, attachment_store)
    if not isinstance(server, ChatKitServer):
        raise UnusableServer(f"CHATKIT_SERVER={name}: that gives a {type(server).__name__}, not a ChatKitServer.")
    server.store = store
    if server.attachment_store is None:
        server.attachment_store = attachment_store
    return server


def load_context(name: str | None) -> BuildContext:
    """What makes a run's request context: `package.module:function(principal, locale, metadata)`, which may be async.

    Without a name it is our own RequestContext. Raises UnusableServer.
    """
    if name is None:
        return _own
    build: Callable[..., Any] = _imported("CHATKIT_CONTEXT", name)
    try:
        inspect.signature(build).bind("principal", "locale", "metadata")
    except (TypeError, ValueError):
        raise UnusableServer(f"CHATKIT_CONTEXT={name}: it must take (principal, locale, metadata).") from None

    async def built(context: RequestContext) -> Any:
        made = build(context.principal, context.locale, context.metadata)
        return await made if isinstance(made, Awaitable) else made

    return built


async def _own(context: RequestContext) -> Any:
    return context


def _imported(variable: str, name: str) -> Any:
    """The object that an import string names."""
    module_name, _, path = name.partition(":")
    if not module_name or not path:
        raise UnusableServer(f"{variable}={name}: write it as package.module:Name.")
    try:
        found = importlib.import_module(module_name)
        for part in path.split("."):
            found = getattr(found, part)
    except AttributeError:
        raise UnusableServer(f"{variable}={name}: {module_name} has no {path}.") from None
    except Exception as error:
        raise UnusableServer(
            f"{variable}={name}: {module_name} cannot be imported ({_said(error)}). Is it on PYTHONPATH?"
        ) from error
    return found


def _made(name: str, make: Any, store: Store[Any], attachment_store: AttachmentStore[Any] | None) -> Any:
    if not callable(make):
        raise UnusableServer(f"CHATKIT_SERVER={name}: that is neither a ChatKitServer nor something that makes one.")
    arguments = _arguments(name, make, store, attachment_store)
    try:
        return make(*arguments.args, **arguments.kwargs)
    except Exception as error:
        raise UnusableServer(f"CHATKIT_SERVER={name}: it cannot be made ({_said(error)}).") from error


def _arguments(
    name: str, make: Callable[..., Any], store: Store[Any], attachment_store: AttachmentStore[Any] | None
) -> inspect.BoundArguments:
    """Our stores for the parameters that ask for one by name, and for the first that must be given."""
    signature = inspect.signature(make)
    bound = signature.bind_partial()
    for parameter in signature.parameters.values():
        required = parameter.default is parameter.empty and parameter.kind not in (
            parameter.VAR_POSITIONAL,
            parameter.VAR_KEYWORD,
        )
        if parameter.name == "attachment_store":
            bound.arguments[parameter.name] = attachment_store
        elif parameter.name in ("store", "data_store") or (required and store not in bound.arguments.values()):
            bound.arguments[parameter.name] = store
        elif required:
            raise UnusableServer(
                f"CHATKIT_SERVER={name}: a worker cannot know its argument `{parameter.name}`; name a factory instead."
            )
    return bound


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
