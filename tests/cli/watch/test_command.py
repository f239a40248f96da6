"""nstyle watch: the server's answers, who gets them, and that watching does not change the run."""

import io
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image

from cli.__main__ import main
from tests.conftest import ROOT
from tests.support.watching import watching, write_config

LONG = 4000


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def stop_value(watched):
    return re.search(rb'data-stop="([^"]+)"', watched.ask("/")[2])[1].decode()


def test_it_runs_as_nstyle_run_does_and_ends_by_itself():
    write_config(30)
    with watching("run.yml", "--results", "watched") as watched:
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/", watched.url)
        seen = watched.wait(lambda status: status["ended"])
        assert (seen["state"], seen["sentence"], seen["iteration"], seen["iterations"]) == (
            "done",
            "Done.",
            30,
            30,
        )
        assert [loss["name"] for loss in seen["losses"]][::6] == ["content relu4_2", "total"]
        assert b"out.png" in watched.ask("/")[2]
        status, said = watched.end()
    assert status == 0
    assert "nstyle watch: run: done" in said
    command = [sys.executable, "-m", "cli", "run", "run.yml", "--results", "alone"]
    subprocess.run(command, env={"PYTHONPATH": str(ROOT)}, check=True, capture_output=True)
    assert Path("watched/out.png").read_bytes() == Path("alone/out.png").read_bytes()


def test_the_picture_and_the_curves_are_of_now():
    write_config(LONG)
    with watching("run.yml") as watched:
        first = watched.wait(lambda status: status["iteration"] > 2)
        status, headers, data = watched.ask(f"/picture?{first['picture']}")
        assert (status, headers["Content-Type"]) == (200, "image/jpeg")
        with Image.open(io.BytesIO(data)) as picture:
            assert picture.size == (first["width"], first["height"]) == (64, 48)
        status, headers, svg = watched.ask("/curves.svg")
        assert (status, headers["Content-Type"]) == (200, "image/svg+xml")
        assert svg.startswith(b"<svg xmlns=")
        names = [name for name, _ in first["figures"]]
        assert names == ["Iteration", "Total loss", "Speed", "Time left"]
        later = watched.wait(lambda status: status["iteration"] > first["iteration"] + 5)
        assert later["picture"] != first["picture"]
        assert watched.ask(f"/picture?{later['picture']}")[2] != data


def test_stopping_is_ctrl_c():
    write_config(LONG)
    with watching("run.yml") as watched:
        watched.wait(lambda status: status["iteration"] > 2)
        assert watched.ask("/stop", "POST", {"X-Stop": stop_value(watched)})[0] == 202
        seen = watched.wait(lambda status: status["ended"])
        assert seen["state"] == "stopped"
        assert seen["sentence"].startswith("Stopped; evaluation ")
        assert watched.ask("/stop", "POST", {"X-Stop": stop_value(watched)})[0] == 409
        status, said = watched.end()
    assert status == 130
    record = json.loads(Path("out.png.json").read_text())
    assert 2 < record["evaluation"] < LONG
    assert f"evaluation {record['evaluation']} is saved as out.png" in said


def test_who_may_stop_it_and_who_may_look():
    write_config(LONG)
    with watching("run.yml") as watched:
        value, place = stop_value(watched), watched.place.netloc
        for headers in (
            {},
            {"X-Stop": "guessed"},
            {"X-Stop": value, "Origin": "http://evil.example"},
            {"X-Stop": value, "Origin": "null"},
            {"X-Stop": value, "Host": "evil.example"},
        ):
            assert watched.ask("/stop", "POST", headers)[0] == 403, headers
        for path in ("/", "/status.json", "/picture", "/curves.svg"):
            assert watched.ask(path, headers={"Host": f"evil.example:{watched.place.port}"})[0] == 403
            assert watched.ask(path, headers={"Host": f"localhost:{watched.place.port}"})[0] in (200, 404)
        for path in (
            "/run.yml",
            "/in/photo.jpg",
            "/../run.yml",
            "/%2e%2e/run.yml",
            "/stop",
            "/index.html",
        ):
            assert watched.ask(path)[0] == 404, path
        assert watched.ask("/", "POST")[0] == 404
        assert watched.ask("/", "PUT")[0] == 404
        assert not watched.status()["ended"]
        headers = {"X-Stop": value, "Origin": f"http://{place}"}
        assert watched.ask("/stop", "POST", headers)[0] == 202


def test_every_answer_forbids_what_a_page_could_do_with_it():
    write_config(LONG)
    with watching("run.yml") as watched:
        for path in ("/", "/status.json", "/nothing"):
            headers = watched.ask(path)[1]
            assert headers["X-Content-Type-Options"] == "nosniff"
            assert headers["Referrer-Policy"] == "no-referrer"
            assert headers["Cache-Control"] == "no-store"
            assert headers["Server"].strip() == "nstyle"
            rules = dict(rule.strip().split(" ", 1) for rule in headers["Content-Security-Policy"].split(";"))
            assert rules["default-src"] == "'none'"
            assert rules["connect-src"] == "'self'"
            assert sorted(rules["img-src"].split()) == ["'self'", "data:"]
            assert rules["frame-ancestors"] == "'none'"
            assert "unsafe" not in headers["Content-Security-Policy"]


def test_with_a_token_nothing_is_shown_without_it():
    write_config(LONG)
    token = "a token of some length & more"
    with watching("run.yml", "--token", token) as watched:
        assert watched.ask("/")[0] == watched.ask("/status.json")[0] == 403
        assert watched.ask("/?token=another")[0] == 403
        status, headers, _ = watched.ask(f"/?{watched.place.query}")
        assert status == 200
        cookie, *attributes = (part.strip() for part in headers["Set-Cookie"].split(";"))
        assert attributes == ["Path=/", "HttpOnly", "SameSite=Strict"]
        assert token not in cookie
        assert watched.ask("/status.json", headers={"Cookie": f"other=1; {cookie}"})[0] == 200
        assert watched.ask("/status.json", headers={"Cookie": f"{cookie}x"})[0] == 403


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--host", "0.0.0.0"), "--host 0.0.0.0: others could see and stop the run; add --token auto"),
        (("--host", "0.0.0.0", "--token", "short"), "--token: needs at least 16 characters"),
        (("--host", "no.such.host.invalid", "--token", "auto"), "--host no.such.host.invalid --port 0: "),
        (("--stage", "none"), "run.yml: no stage 'none'"),
    ],
)
def test_mistakes_are_one_line(arguments, said):
    write_config(1)
    result = CliRunner().invoke(main, ["watch", "run.yml", *arguments])
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1
    assert said in result.stderr


def test_a_port_that_is_taken():
    write_config(LONG)
    with watching("run.yml") as watched:
        result = CliRunner().invoke(main, ["watch", "run.yml", "--port", str(watched.place.port)])
    assert result.exit_code == 1
    assert "Address already in use" in result.stderr


def test_a_run_that_fails_says_why():
    write_config(3)
    with watching("run.yml", "--set", "style_layers=relu9_9") as watched:
        seen = watched.wait(lambda status: status["ended"])
        assert seen["state"] == "failed"
        assert "no layer 'relu9_9' in this model" in seen["sentence"]
        assert watched.end()[0] == 1
