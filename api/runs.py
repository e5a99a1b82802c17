"""A run by its id: how it stands, its events from any point, its Stop."""

from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Response
from fastapi.responses import JSONResponse

from api.dependencies import CurrentHouse, CurrentPrincipal, CurrentSeat
from api.reading import Dialect
from shared.records import START, Cursor
from shared.runs import RunStatus
from shared.standings import Standings

router = APIRouter(prefix="/runs")


@router.get("/{run_id}")
async def get_run(run_id: str, house: CurrentHouse, principal: CurrentPrincipal) -> dict[str, Any]:
    """The run's record."""
    run = await house.runs.get(principal.user_id, run_id)
    standings = await Standings(house.database).of([run.id]) if run.status == RunStatus.QUEUED else {}
    standing = standings.get(run.id)
    return {
        "id": run.id,
        "conversation_id": run.conversation_id,
        "kind": run.kind,
        "status": run.status,
        "attempt": run.attempt,
        "queue_position": standing.queue_position if standing else None,
        "created_at": run.created_at,
        "started_at": run.started_at,
        "finished_at": run.finished_at,
        "usage": run.usage,
        "error": run.error,
    }


@router.get("/{run_id}/events")
async def get_events(
    run_id: str,
    house: CurrentHouse,
    principal: CurrentPrincipal,
    seat: CurrentSeat,
    dialect: Dialect = Dialect.CHATKIT,
    after: Annotated[str | None, Query()] = None,
    last_event_id: Annotated[str | None, Header()] = None,
) -> Response:
    """The run's events after the cursor, live until its end; `Last-Event-ID` wins over `after`."""
    place = last_event_id or after
    cursor = Cursor.parse(place) if place else START
    run = await house.runs.get(principal.user_id, run_id)
    seat.take()
    return house.stream(run, principal, house.relay.follow(run, cursor, dialect))


@router.post("/{run_id}/cancel", status_code=202)
async def cancel_run(run_id: str, house: CurrentHouse, principal: CurrentPrincipal) -> Response:
    """Stop: the answer ends, its partial text stays. Asking twice is no error."""
    return JSONResponse({"status": await house.cancel(principal.user_id, run_id)}, status_code=202)
