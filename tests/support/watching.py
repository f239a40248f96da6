"""Run ``nstyle watch`` in its own process."""

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
    """Write a config and its pictures to the working folder."""
    Path("in").mkdir(exist_ok=True)
    shutil.copy(PHOTO, "in/photo.jpg")
    shutil.copy(PAINTING, "in/painting.png")
    Path(name).write_text(f"{CONFIG}num_iterations: {iterations}\n")


class Watched:
    """A running command. ``url``: the URL that it printed."""

    def __init__(self, process):
        self.process, self.lines, self.url = process, [], ""
        for line in process.stderr:
            self.lines.append(line)
            if found := re.search(r"http://\S+", line):
                self.url = found[0]
                break
        self.place = urlsplit(self.url)

    def ask(self, path, method="GET", headers=()):
        """Send a request; returns status, headers and content of the answer."""
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
        """Wait for a status that meets the condition and return it."""
        deadline = time.monotonic() + seconds
        while not condition(status := self.status()):
            assert time.monotonic() < deadline, status
            time.sleep(0.05)
        return status

    def end(self):
        """End the command; returns its exit status and stderr."""
        rest = self.process.communicate(timeout=60)[1]
        return self.process.returncode, "".join(self.lines) + rest


@contextmanager
def watching(*arguments):
    """Run ``nstyle watch`` with these arguments until the end of the block."""
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
