"""What strangers may cost a server in time and memory: floods of what takes long to check and to read.

Starts a server of its own, and while each flood goes on asks how soon `/health/live` is answered and how
much memory the process takes. Ends with 1 where the median is above 100 ms or the process grows by more
than a GiB.

    python3 tests/clients/costly.py target/release/stepwell [seconds]
"""

import http.client
import json
import statistics
import sys
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from server import Server

MEDIAN_MAX = 0.100
GROWTH_MAX = 1 << 30


def post(url, path, body):
    place = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(place.hostname, place.port, timeout=120)
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    connection.request("POST", path, text, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    read = answer.read()
    connection.close()
    return answer.status, read


def probe(url):
    place = urllib.parse.urlsplit(url)
    begun = time.monotonic()
    connection = http.client.HTTPConnection(place.hostname, place.port, timeout=60)
    connection.request("GET", "/health/live")
    connection.getresponse().read()
    connection.close()
    return time.monotonic() - begun


def resident(pid):
    with open(f"/proc/{pid}/status") as status:
        for line in status:
            if line.startswith("VmRSS"):
                return int(line.split()[1]) << 10
    return 0


def validate(url):
    """A megabyte of long expressions."""
    value = "${" + " + ".join(["input.n"] * 100) + "}"
    steps = [{"name": f"s{n}", "type": "transform", "config": {"value": [value] * 8}}
             for n in range(110)]
    body = json.dumps({"name": "Long", "steps": steps}).encode()
    return lambda: post(url, "/api/v1/workflows/validate", body)[0]


def execute(url, name, value, given):
    step = {"name": "think", "type": "transform", "config": {"value": value}}
    post(url, "/api/v1/workflows", {"name": name, "steps": [step]})
    body = json.dumps({"input": given}).encode()
    path = f"/api/v1/workflows/{name}/execute?wait_ms=60000"
    return lambda: post(url, path, body)[0]


def keywords(url):
    given = {"keywords": [f"keyword {n}" for n in range(5_000)], "text": "key-word " * 210_000}
    return execute(url, "keywords", "${input.keywords.filter(k, input.text.contains(k))}", given)


def patterns(url):
    given = {"patterns": ["\\pL" * 150 + str(n) for n in range(2_000)]}
    return execute(url, "patterns", "${input.patterns.filter(p, 'a'.matches(p) || true)}", given)


def many(url):
    each = "${size(input.list.filter(x, x in input.list))}"
    return execute(url, "many", [each] * 400, {"list": list(range(1_100))})


class Numbers(BaseHTTPRequestHandler):
    """An agent that answers with as many numbers as fit into four megabytes."""

    text = b"[" + b"1234," * 800_000 + b"1]"

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(self.text)))
        self.end_headers()
        self.wfile.write(self.text)

    def log_message(self, *_):
        pass


def numbers(url):
    agent = ThreadingHTTPServer(("127.0.0.1", 0), Numbers)
    threading.Thread(target=agent.serve_forever, daemon=True).start()
    post(url, "/api/v1/agents", {"name": "numbers", "url": f"http://127.0.0.1:{agent.server_port}/"})
    step = {"name": "ask", "type": "agent", "config": {"agent": "numbers"}}
    post(url, "/api/v1/workflows", {"name": "numbers", "steps": [step], "output": 1})
    return lambda: post(url, "/api/v1/workflows/numbers/execute?wait_ms=60000", {"input": {}})[0]


def flood(server, name, attack, connections, seconds):
    before = resident(server.process.pid)
    over = time.monotonic() + seconds
    answers = {}

    def go_on():
        while time.monotonic() < over:
            status = attack()
            answers[status] = answers.get(status, 0) + 1

    threads = [threading.Thread(target=go_on) for _ in range(connections)]
    for thread in threads:
        thread.start()
    took, peak = [], before
    while any(thread.is_alive() for thread in threads):
        took.append(probe(server.url))
        peak = max(peak, resident(server.process.pid))
        time.sleep(0.02)
    median = statistics.median(took)
    bad = median > MEDIAN_MAX or peak - before > GROWTH_MAX
    print(f"{name:10} {connections} connections: median {median * 1000:.0f} ms, "
          f"worst {max(took) * 1000:.0f} ms, {(peak - before) >> 20} MiB more, answers {answers}"
          f"{'  TOO MUCH' if bad else ''}", flush=True)
    return bad


def main():
    program = sys.argv[1]
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 30
    with Server(program) as server:
        floods = [(validate, 8), (keywords, 3), (patterns, 3), (many, 3), (numbers, 16)]
        bad = [flood(server, make.__name__, make(server.url), connections, seconds)
               for make, connections in floods]
        errors = server.errors()
        for line in errors:
            print(line)
    return 1 if any(bad) or errors else 0


if __name__ == "__main__":
    sys.exit(main())
