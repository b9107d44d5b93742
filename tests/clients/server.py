"""A server of one's own, on a private Postgres that is removed at the end."""

import json
import os
import pathlib
import signal
import subprocess
import tempfile
import threading

# Seconds until a server is up, and until it has ended: a busy machine takes its time.
PATIENCE = 120


class Server:
    """`stepwell up --ephemeral`. `url` is where it listens."""

    def __init__(self, program, *arguments):
        self.directory = tempfile.TemporaryDirectory()
        self.log = pathlib.Path(self.directory.name, "log")
        # Nothing of whoever runs this: neither variables nor a file of settings.
        clean = {
            name: value
            for name, value in os.environ.items()
            if name == "STEPWELL_PG_BIN" or not name.startswith(("STEPWELL_", "DATABASE_URL"))
        }
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [pathlib.Path(program).resolve(), "up", "--ephemeral", "--port", "0", "--json",
                 "--log-format", "json", *arguments],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log,
                cwd=self.directory.name, env=clean,
            )
        patience = threading.Timer(PATIENCE, self.process.kill)
        patience.start()
        line = self.process.stdout.readline()
        patience.cancel()
        if not line:
            raise SystemExit(f"the server did not come up:\n{self.log.read_text()}")
        self.url = json.loads(line)["url"]

    def errors(self):
        """The lines of level error that it has logged so far."""
        lines = self.log.read_text().splitlines()
        return [line for line in lines if '"level":"ERROR"' in line]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        log = self.log.read_text()
        self.directory.cleanup()
        if code != 0:
            raise SystemExit(f"the server ended with code {code}:\n{log}")
