"""Commands whose file disappears after it was checked end with a one-line error."""

import os

import pytest
from click.testing import CliRunner

from cli import __main__
from cli.terminal.program import ending


def lost(*_):
    raise FileNotFoundError(2, os.strerror(2), "gone/out.png")


def test_a_lost_file_is_one_line_of_any_drop_in(capsys):
    assert ending("neural_style", lost) == 1
    assert capsys.readouterr().err == "neural_style: gone/out.png: No such file or directory\n"


def test_a_lost_file_is_one_line_of_any_subcommand(monkeypatch):
    monkeypatch.setattr("core.records.records.read_record", lost)
    shown = CliRunner().invoke(__main__.main, ["show", "gone/out.png"])
    assert shown.exit_code == 1
    assert shown.output == "Error: gone/out.png: No such file or directory\n"


def test_an_error_of_the_system_without_a_file_is_a_bug():
    def act():
        raise OSError(22, "Invalid argument")

    with pytest.raises(OSError, match="Invalid argument"):
        ending("neural_style", act)
