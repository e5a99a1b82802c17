"""An embedded Postgres that can be stopped, killed and found again under the same address."""

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from local.errors import CannotRun
from local.postgres import Postgres
from tests.local.processes import eventually, parent, runs


def run(server: Postgres, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(server.url) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    with Postgres(tmp_path_factory.mktemp("postgres") / "data") as server:
        yield server


def test_the_database_speaks_utf8_and_keeps_what_it_acknowledged(server: Postgres) -> None:
    found = run(server, "SELECT current_database(), getdatabaseencoding(), current_setting('fsync')")
    assert found == [("chatkit", "UTF8", "on")]


def test_the_programs_role_is_made_where_a_directory_from_before_has_none(server: Postgres) -> None:
    run(server, "DROP ROLE chatkit_app")
    server.restart()
    with psycopg.connect(server.application_url) as connection:
        role = connection.execute("SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user")
        assert role.fetchone() == (False,)


def test_the_network_does_not_see_it(server: Postgres) -> None:
    assert run(server, "SELECT current_setting('listen_addresses')") == [("",)]
    assert server.socket_dir.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("interruption", [Postgres.stop, Postgres.kill])
def test_data_and_address_outlive(server: Postgres, interruption: Callable[[Postgres], None]) -> None:
    url = server.url
    run(server, "CREATE TABLE IF NOT EXISTS kept (word text)")
    run(server, f"INSERT INTO kept VALUES ('{interruption.__name__}')")
    interruption(server)
    assert not server.alive
    server.start()
    assert server.url == url
    assert (interruption.__name__,) in run(server, "SELECT word FROM kept")


def test_a_stop_is_a_clean_shutdown_even_with_clients(server: Postgres) -> None:
    with psycopg.connect(server.url):
        server.stop()
    assert "database system is shut down" in server.log_file.read_text()
    server.start()


def test_a_pid_that_now_belongs_to_another_program_does_not_stop_the_start(server: Postgres) -> None:
    server.kill()
    pid_file = server.data_dir / "postmaster.pid"
    _, *rest = pid_file.read_text().splitlines(keepends=True)
    pid_file.write_text("1\n" + "".join(rest))
    socket_lock = server.socket_dir / ".s.PGSQL.5432.lock"
    socket_lock.write_text("1\n")
    server.start()
    assert run(server, "SELECT 1") == [(1,)]


def test_a_second_server_on_the_same_data_is_refused(server: Postgres) -> None:
    with pytest.raises(CannotRun, match="in use by another process"):
        Postgres(server.data_dir).start()


def test_something_else_in_the_data_directory_is_said_and_kept(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "letter").write_text("dear reader")
    with pytest.raises(CannotRun, match="something else"):
        Postgres(tmp_path / "data").start()
    assert (tmp_path / "data" / "letter").exists()


def test_a_database_that_cannot_start_gives_its_reason(tmp_path: Path) -> None:
    with Postgres(tmp_path / "data", durable=False) as broken:
        pass
    (broken.data_dir / "PG_VERSION").write_text("9\n")
    with pytest.raises(CannotRun, match=r"could not start on .*(incompatible|version)"):
        broken.start()


def test_a_first_start_that_was_interrupted_begins_again(tmp_path: Path) -> None:
    (tmp_path / "data.new").mkdir()
    (tmp_path / "data.new" / "half").touch()
    with Postgres(tmp_path / "data", durable=False) as server:
        assert run(server, "SELECT 1") == [(1,)]


def test_a_long_path_gets_its_socket_elsewhere(tmp_path: Path) -> None:
    long = tmp_path / ("a long name with a space " * 8)
    with Postgres(long / "data", durable=False) as server:
        assert run(server, "SELECT 1") == [(1,)]
        assert server.socket_dir != server.data_dir
    server.socket_dir.rmdir()


def test_a_killed_parent_leaves_a_clean_shutdown_behind(tmp_path: Path) -> None:
    lines = (
        "from local.postgres import Postgres\n"
        "from pathlib import Path\n"
        f"server = Postgres(Path({str(tmp_path / 'data')!r}), durable=False)\n"
        "server.start()\n"
        "print(server.pid)"
    )
    with parent(lines) as (killed, pid):
        killed.send_signal(signal.SIGKILL)
        eventually(lambda: not runs(pid))
    assert "database system is shut down" in (tmp_path / "data.log").read_text()
    with Postgres(tmp_path / "data", durable=False) as server:
        assert run(server, "SELECT 1") == [(1,)]
