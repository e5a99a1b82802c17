"""Attachments over HTTP: both ways in, who may see them, and what goes away when."""

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from shared.signed_urls import SignedUrls
from tests.contract.client import Answer, Client, message
from tests.house import House, token

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)
LIMIT = 20_000_000


@pytest.fixture
def ann(house: House) -> Client:
    return Client(house.url, token("ann of the attachments"))


@pytest.fixture
def bob(house: House) -> Client:
    return Client(house.url, token("bob of the attachments"))


def direct(client: Client, data: bytes = PNG, name: str = "dot.png", mime_type: str = "image/png") -> httpx.Response:
    """The direct strategy's upload."""
    return client.http.post("/attachments", files={"file": (name, data, mime_type)})


def two_phase(client: Client, data: bytes = PNG, **told: Any) -> dict[str, Any]:
    """The first step of the other one, and its second."""
    made = client.ask("attachments.create", **{"name": "dot.png", "mime_type": "image/png", "size": len(data), **told})
    upload = made["upload_descriptor"]
    assert httpx.request(upload["method"], upload["url"], content=data).status_code == 200
    return made


def send(client: Client, *attachment_ids: str) -> Answer:
    """Say something that carries these, and leave as soon as it was heard."""
    said = message("look", attachments=list(attachment_ids))
    with client.streaming("threads.create", input=said) as (response, events):
        return Answer(response.headers, [next(events), next(events)])


def test_a_file_uploaded_in_one_step_is_carried_by_a_message_and_seen_by_its_signed_address(ann: Client) -> None:
    made = direct(ann).json()
    assert made["type"] == "image"
    answer = send(ann, made["id"])
    kept = answer.items("user_message")[0]["attachments"][0]
    assert kept["thread_id"] == answer.thread_id
    seen = httpx.get(kept["preview_url"])
    assert seen.content == PNG
    assert seen.headers["content-type"] == "image/png"
    assert seen.headers["x-content-type-options"] == "nosniff"


def test_a_file_uploaded_in_two_steps_is_carried_by_a_message(ann: Client) -> None:
    made = two_phase(ann, b"a,b\n1,2\n", name="table.csv", mime_type="text/csv")
    assert made["upload_descriptor"]["method"] == "PUT"
    kept = send(ann, made["id"]).items("user_message")[0]["attachments"][0]
    assert "upload_descriptor" not in kept
    seen = ann.http.get(f"/attachments/{made['id']}")
    assert seen.content == b"a,b\n1,2\n"
    assert seen.headers["content-disposition"].startswith("attachment")
    assert seen.headers["content-type"] == "application/octet-stream"


def test_a_listed_items_preview_has_an_address_made_anew(ann: Client, house: House) -> None:
    answer = send(ann, direct(ann).json()["id"])
    old = answer.items("user_message")[0]["attachments"][0]["preview_url"]
    expire = "UPDATE messages SET item = replace(item::text, 'expires=', 'expires=1&was=')::jsonb"
    house.sql(f"{expire} WHERE conversation_id = %s", answer.thread_id)
    new = ann.items(answer.thread_id)[0]["attachments"][0]["preview_url"]
    assert httpx.get(new).content == PNG
    assert httpx.get(old.replace("expires=", "expires=1&was=")).status_code == 404


def test_the_bytes_are_for_their_owner_and_for_good_addresses_alone(ann: Client, bob: Client, house: House) -> None:
    made = direct(ann).json()
    place = f"/attachments/{made['id']}"
    assert ann.http.get(place).content == PNG
    signed = made["preview_url"]
    expired = SignedUrls(house.url, b"another key", -1).make("GET", made["id"])
    for refused in (
        bob.http.get(place),
        httpx.get(signed.replace("signature=", "signature=x")),
        httpx.get(signed.replace("expires=", "expires=9")),
        httpx.get(expired),
        httpx.put(signed, content=PNG),
        bob.http.get("/attachments/atc_%00"),
        bob.http.get("/attachments/" + "x" * 5000),
    ):
        assert refused.status_code == 404, refused.url
        assert refused.json()["type"] == "not-found"
    assert httpx.get(house.url + place).status_code == 401


def test_an_attachment_of_another_user_or_conversation_is_not_sent(ann: Client, bob: Client) -> None:
    theirs, bound = direct(bob).json()["id"], direct(ann).json()["id"]
    first = send(ann, bound)
    again = message("again", attachments=[bound])
    with ann.streaming("threads.add_user_message", thread_id=first.thread_id, input=again) as (_, events):
        assert next(events)["item"]["attachments"][0]["id"] == bound
    for attachment_id in (theirs, bound, "atc_unknown"):
        refused = ann.post("threads.create", input=message("look", attachments=[attachment_id]))
        assert refused.status_code == 404
    refused = ann.post("attachments.delete", attachment_id=theirs)
    assert refused.status_code == 404
    assert bob.http.get(f"/attachments/{theirs}").content == PNG


def test_a_message_waits_for_its_files(ann: Client) -> None:
    made = ann.ask("attachments.create", name="dot.png", mime_type="image/png", size=len(PNG))
    before = ann.ask("threads.list")["data"]
    assert ann.post("threads.create", input=message("look", attachments=[made["id"]])).status_code == 422
    assert ann.ask("threads.list")["data"] == before
    assert ann.http.get(f"/attachments/{made['id']}").status_code == 404


def test_a_file_is_uploaded_once(ann: Client) -> None:
    made = two_phase(ann)
    again = httpx.put(made["upload_descriptor"]["url"], content=PNG[::-1])
    assert again.status_code == 409
    assert ann.http.get(f"/attachments/{made['id']}").content == PNG


@pytest.mark.parametrize(
    ("data", "name", "mime_type", "status"),
    [
        (b"x" * (LIMIT + 1), "big.txt", "text/plain", 413),
        (b"", "empty.txt", "text/plain", 422),
        (b"<svg/>", "a.svg", "image/svg+xml", 422),
        (b"MZ", "a.exe", "application/x-msdownload", 422),
        (b"not a picture", "a.png", "image/png", 422),
    ],
)
def test_what_is_too_large_or_of_the_wrong_type_is_refused(
    ann: Client, house: House, data: bytes, name: str, mime_type: str, status: int
) -> None:
    before = files_of(house)
    assert direct(ann, data, name, mime_type).status_code == status
    created = ann.post("attachments.create", name=name, mime_type=mime_type, size=len(data))
    if created.status_code == 200:
        assert httpx.put(created.json()["upload_descriptor"]["url"], content=data).status_code == status
    else:
        assert created.status_code == status
    assert files_of(house) <= before


def test_a_file_must_be_of_the_size_that_was_announced(ann: Client) -> None:
    for announced, status in ((len(PNG) - 1, 413), (len(PNG) + 1, 422)):
        made = ann.ask("attachments.create", name="dot.png", mime_type="image/png", size=announced)
        assert httpx.put(made["upload_descriptor"]["url"], content=PNG).status_code == status


@pytest.mark.parametrize(
    ("content_type", "body", "status"),
    [
        ("application/json", b"{}", 400),
        ("multipart/form-data", b"", 400),
        ("multipart/form-data; boundary=x", b"", 422),
        ("multipart/form-data; boundary=x", b"garbage", 400),
        (
            "multipart/form-data; boundary=x",
            b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n'
            b"Content-Type: text/plain\r\n\r\nit breaks off",
            400,
        ),
        (
            "multipart/form-data; boundary=x",
            b'--x\r\nContent-Disposition: form-data; name="note"\r\n\r\nno file\r\n--x--\r\n',
            422,
        ),
    ],
)
def test_a_form_that_is_none_is_refused(ann: Client, house: House, content_type: str, body: bytes, status: int) -> None:
    before = files_of(house)
    answer = ann.http.post("/attachments", content=body, headers={"Content-Type": content_type})
    assert answer.status_code == status
    assert files_of(house) <= before


def test_an_upload_is_never_held_in_memory(ann: Client, house: House) -> None:
    def body() -> Iterator[bytes]:
        yield b'--x\r\nContent-Disposition: form-data; name="file"; filename="big.txt"\r\n'
        yield b"Content-Type: text/plain\r\n\r\n"
        for _ in range(19):
            yield b"x" * 1_000_000
        yield b"\r\n--x--\r\n"

    pid = house.apis[0].pid
    Path(f"/proc/{pid}/clear_refs").write_text("5")
    before = memory(pid, "VmHWM")
    made = ann.http.post("/attachments", content=body(), headers={"Content-Type": "multipart/form-data; boundary=x"})
    assert made.status_code == 200, made.text
    with ann.http.stream("GET", f"/attachments/{made.json()['id']}") as whole:
        assert sum(map(len, whole.iter_bytes())) == 19_000_000
    assert memory(pid, "VmHWM") - before < 8_000_000


def test_a_conversations_files_go_with_it(ann: Client, house: House) -> None:
    made = direct(ann).json()["id"]
    answer = send(ann, made)
    assert made in files_of(house)
    ann.ask("threads.delete", thread_id=answer.thread_id)
    assert ann.http.get(f"/attachments/{made}").status_code == 404
    assert made not in files_of(house)


def test_attachments_delete_takes_the_bytes_away(ann: Client, house: House) -> None:
    made = direct(ann).json()["id"]
    ann.ask("attachments.delete", attachment_id=made)
    assert made not in files_of(house)
    assert ann.post("attachments.delete", attachment_id=made).status_code == 404


def files_of(house: House) -> set[str]:
    """The names of the files that the house keeps."""
    return {path.name for path in Path(house.directory, "attachments").rglob("*") if path.is_file()}


def memory(pid: int, name: str) -> int:
    """The process's memory in bytes: now (VmRSS), or at its most (VmHWM)."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(name)).split()[1]) * 1024
