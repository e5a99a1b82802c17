"""The secret that signs this machine's tokens."""

from pathlib import Path

from local.secret import keep_secret


def test_it_is_made_once_for_its_owner_only_and_differs_elsewhere(tmp_path: Path) -> None:
    made = keep_secret(tmp_path / "secret")
    assert len(made) >= 32
    assert (tmp_path / "secret").stat().st_mode & 0o777 == 0o600
    assert keep_secret(tmp_path / "secret") == made
    assert keep_secret(tmp_path / "another") != made


def test_an_empty_file_is_no_secret(tmp_path: Path) -> None:
    (tmp_path / "secret").touch()
    assert len(keep_secret(tmp_path / "secret")) >= 32
