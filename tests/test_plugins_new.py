"""`pyquarantine plugins new`, as it is typed; test_scaffold has what it writes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Pyquarantine


class TestNew:
    def test_three_lines_say_what_to_do_next(
        self, pyquarantine: Pyquarantine, tmp_path: Path
    ) -> None:
        done = pyquarantine(
            *("plugins", "new", "Bulk.Mail", "--kind", "action", "--directory", str(tmp_path))
        )
        assert (done.status, done.error) == (0, "")
        assert [one.partition("    #")[0] for one in done.out.splitlines()] == [
            f"cd {tmp_path}/pyq-bulk-mail && pip install -e '.[dev]'",
            "pytest",
            "pyquarantine plugins show bulk_mail",
        ]
        assert (tmp_path / "pyq-bulk-mail" / "pyproject.toml").is_file()

    @pytest.mark.parametrize(
        ("arguments", "status", "complaint"),
        [
            (["two words", "--kind", "list"], 1, "no package can be named 'two words'"),
            (["headers", "--kind", "list"], 1, "a package pyq-headers is installed"),
            (["file", "--kind", "storage"], 1, "the storage 'file' is in pyq-file-storage"),
            (["good", "--kind", "rule"], 2, "'rule' is not one of 'condition', 'action'"),
            (["good"], 2, "Missing option '--kind'"),
            (["good", "--kind", "list", "--directory", "/no/where"], 2, "does not exist"),
        ],
    )
    def test_a_mistake_is_said_and_nothing_is_written(
        self,
        arguments: list[str],
        status: int,
        complaint: str,
        pyquarantine: Pyquarantine,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.chdir(tmp_path)
        done = pyquarantine("plugins", "new", *arguments)
        assert (done.status, done.out) == (status, "")
        assert complaint in done.error
        assert list(tmp_path.iterdir()) == []

    def test_a_directory_that_cannot_be_written_is_one_line(
        self, pyquarantine: Pyquarantine
    ) -> None:
        done = pyquarantine("plugins", "new", "good", "--kind", "list", "--directory", "/proc")
        assert (done.status, done.out) == (1, "")
        assert len(done.error.splitlines()) == 1
