"""Holds a server to its OpenAPI document: every operation, with data that fits and data that does not.

Usage: contract.py STEPWELL [arguments of schemathesis …]
"""

import os
import pathlib
import subprocess
import sys

from server import Server

HERE = pathlib.Path(__file__).parent
# Seconds that the whole test may take; it takes about two minutes.
PATIENCE = 600


def main():
    program, arguments = sys.argv[1], sys.argv[2:]
    with Server(program) as server:
        tested = subprocess.run(
            [
                pathlib.Path(sys.executable).with_name("schemathesis"),
                "--config-file", HERE / "schemathesis.toml",
                "run", f"{server.url}/openapi.json", *arguments,
            ],
            env={**os.environ, "PYTHONPATH": str(HERE), "NO_COLOR": "1"},
            cwd=server.directory.name,
            timeout=PATIENCE,
            check=False,
        )
        errors = server.errors()
    for line in errors:
        print(f"The server logged an error: {line}", file=sys.stderr)
    sys.exit(1 if tested.returncode or errors else 0)


main()
