"""``nstyle watch`` in a process of its own, for the tests."""

import http.client
import json
import os
import re
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from tests.cli.test_neural_style import MODEL, PAINTING, PHOTO
from tests.conftest import ROOT

CONFIG = f"""
content_image: in/photo.jpg
style_image: in/painting.png
model_file: {MODEL}
gpu: "-1"
seed: 3
image_size: 64
output_image: out.png
"""


def write_config(iterations, name="run.yml"):
    """A config in the working folder, with its pictures."""
    Path("in").mkdir(exist_ok=True)
    shutil.copy(PHOTO, "in/photo.jpg")
    shutil.copy(PAINTING, "in/painting.png")
    Path(name).write_text(f"{CONFIG}num_iterations: {iterations}\n")


class Watched:
    """A running command. ``url``: what it printed."""

    def __init__(self, process):
        self.process, self.lines, self.url = process, [], ""
        for line in process.stderr:
            self.lines.append(line)
            if found := re.search(r"http://\S+", line):
                self.url = found[0]
                break
        self.place = urlsplit(self.url)

    def ask(self, path, method="GET", headers=()):
        """Status, headers and content of an answer."""
        connection = http.client.HTTPConnection(self.place.hostname, self.place.port, timeout=20)
        try:
            connection.request(method, path, headers=dict(headers))
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def status(self):
        return json.loads(self.ask("/status.json")[2])

    def wait(self, condition, seconds=60):
        """The first status for which the condition holds."""
        deadline = time.monotonic() + seconds
        while not condition(status := self.status()):
            assert time.monotonic() < deadline, status
            time.sleep(0.05)
        return status

    def end(self):
        """Exit status, and what was said on stderr."""
        rest = self.process.communicate(timeout=60)[1]
        return self.process.returncode, "".join(self.lines) + rest


@contextmanager
def watching(*arguments):
    """``nstyle watch`` with these arguments; ended with the block."""
    process = subprocess.Popen(
        [sys.executable, "-m", "cli", "watch", *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield Watched(process)
    finally:
        process.kill()
        process.communicate()
