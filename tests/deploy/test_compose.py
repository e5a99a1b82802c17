"""docker-compose.yml, the image and the proxy agree with the code, and with one another."""

import json
import re

from shared.settings import Settings
from tests.deploy.manifests import NAMES, compose, seconds
from tests.house import ROOT
from worker.main import HAND_OVER_SECONDS

SERVICES = compose()["services"]
OURS = {name: one for name, one in SERVICES.items() if one.get("image") == "chatkit-runs"}
IMAGE = (ROOT / "Dockerfile").read_text()
PROXY = (ROOT / "deploy/proxy/chatkit.conf").read_text()
UPSTREAM = (ROOT / "deploy/proxy/upstream.conf").read_text()


def directive(name: str, text: str) -> str:
    """The value of the one directive of this name."""
    [value] = re.findall(rf"^ *{name} ([^;]+);", text, re.MULTILINE)
    return str(value)


def test_every_program_is_one_of_ours() -> None:
    assert {name: " ".join(one["command"][2:]) for name, one in OURS.items()} == {
        "migrations": "alembic upgrade head",
        "api": "api",
        "worker": "worker",
    }
    for program in ("api", "worker"):
        assert (ROOT / program / "__main__.py").exists()


def test_every_name_of_the_environment_is_read() -> None:
    for one in OURS.values():
        assert set(one["environment"]) <= NAMES


def test_a_worker_is_given_longer_than_its_drain() -> None:
    drain = Settings.model_fields["drain_seconds"].default
    assert seconds(SERVICES["worker"]["stop_grace_period"]) > drain + HAND_OVER_SECONDS


def test_nothing_of_ours_writes_but_to_its_volumes() -> None:
    for one in [*OURS.values(), SERVICES["proxy"]]:
        assert one["read_only"]
        assert one["cap_drop"] == ["ALL"]
        assert one["tmpfs"] == ["/tmp"]


def test_only_the_proxy_has_a_port_of_the_machine() -> None:
    assert [name for name, one in SERVICES.items() if "ports" in one] == ["proxy"]
    [published] = SERVICES["proxy"]["ports"]
    assert published.endswith(f":{directive('listen', PROXY)}")


def test_the_proxy_asks_for_the_service_that_listens() -> None:
    host, _, port = directive("server", UPSTREAM).split()[0].partition(":")
    assert SERVICES[host]["expose"] == [port]
    assert OURS[host]["environment"]["PORT"] == port
    assert f"http://{directive('upstream', UPSTREAM.replace(' {', ';'))}" == directive("proxy_pass", PROXY)


def test_the_proxy_waits_for_several_pings_and_takes_the_largest_file() -> None:
    assert seconds(directive("proxy_read_timeout", PROXY)) >= 3 * Settings.model_fields["ping_interval"].default
    megabytes = int(directive("client_max_body_size", PROXY).removesuffix("m"))
    assert megabytes * 1024 * 1024 > 1.1 * Settings.model_fields["max_attachment_bytes"].default
    assert directive("proxy_buffering", PROXY) == "off"


def test_every_file_that_is_mounted_is_there() -> None:
    files = [volume.split(":")[0] for volume in SERVICES["proxy"]["volumes"]]
    assert [file for file in files if not (ROOT / file).exists()] == []


def test_the_image_hears_sigterm_and_is_not_root() -> None:
    told = {name: json.loads(value) for name, value in re.findall(r"^(ENTRYPOINT|CMD) (.+)$", IMAGE, re.MULTILINE)}
    assert told == {"ENTRYPOINT": ["tini", "--"], "CMD": ["python", "-m", "api"]}
    user = re.findall(r"^USER (\d+)$", IMAGE, re.MULTILINE)
    assert user
    assert user != ["0"]


def test_the_image_holds_every_package_that_runs() -> None:
    copied = set(re.findall(r"^COPY (\w+) \w+$", IMAGE, re.MULTILINE))
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert copied == {"shared", "migrations", "api", "worker"}
    assert {f"!{name}" for name in copied} <= set(ignored)
