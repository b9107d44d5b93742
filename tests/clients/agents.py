"""Manages agents as a client would that was generated from the OpenAPI document: agents with every
kind of credentials before a server that checks them, versions of a workflow, its execution, a retry
from the step that failed, a cancel, logs, the audit by its filters, readiness and measurements.

Usage: agents.py STEPWELL
"""

import base64
import datetime
import http.server
import json
import pathlib
import subprocess
import sys
import tempfile
import threading
import time

from server import Server

PATIENCE = 30
"""Seconds for anything that is waited for."""

LONG_AGO = datetime.datetime(2020, 1, 1, tzinfo=datetime.timezone.utc)
"""Before anything here."""

SECRETS = ("s3cret", "k3y", "l0velace", "guessed")
"""What is never shown."""

CREDENTIALS = {
    "open": ("none", None),
    "token": ("bearer", {"token": "s3cret"}),
    "key": ("api_key", {"key": "k3y", "header": "X-Agent-Key"}),
    "basic": ("basic", {"username": "ada", "password": "l0velace"}),
}


class Agents:
    """A server with an agent at each path. It answers only to who shows the credentials of the path."""

    def __init__(self):
        self.calls = []
        self.told = []
        self.repaired = threading.Event()
        self.released = threading.Event()
        agents = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                if self.is_let_in():
                    self.answer(200, {"status": "fine"})
                else:
                    self.answer(401, {"error": "who are you?"})

            def do_DELETE(self):
                agents.told.append(self.path)
                self.answer(200, {})

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                agents.calls.append((self.path, body, dict(self.headers)))
                if not self.is_let_in():
                    self.answer(401, {"error": "who are you?"})
                elif self.path == "/broken" and not agents.repaired.is_set():
                    self.answer(400, {"error": "out of order"})
                else:
                    if self.path == "/slow":
                        agents.released.wait(PATIENCE)
                    self.answer(200, {"from": self.path, "got": body["input"]})

            def is_let_in(self):
                shown = {
                    "/token": self.headers["Authorization"] == "Bearer s3cret",
                    "/key": self.headers["X-Agent-Key"] == "k3y",
                    "/basic": self.headers["Authorization"]
                    == "Basic " + base64.b64encode(b"ada:l0velace").decode(),
                }
                return shown.get(self.path.removesuffix("/health"), self.headers["Authorization"] is None)

            def answer(self, status, body):
                text = json.dumps(body).encode()
                try:
                    self.send_response(status)
                    self.send_header("Content-Type", "application/json")
                    self.send_header("Content-Length", str(len(text)))
                    self.end_headers()
                    self.wfile.write(text)
                except (BrokenPipeError, ConnectionResetError):
                    pass  # whoever asked was cancelled

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def called(self, path):
        return [body for called, body, _ in self.calls if called == path]


def until(what, look):
    """Looks until there is something to see."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if seen := look():
            return seen
        time.sleep(0.05)
    raise AssertionError(f"not within {PATIENCE} s: {what}")


def generate(program, directory):
    """Generates the client from what the binary says of itself."""
    document = pathlib.Path(directory, "openapi.json")
    document.write_text(subprocess.run([program, "openapi"], capture_output=True, text=True, check=True).stdout)
    generated = subprocess.run(
        [
            pathlib.Path(sys.executable).with_name("openapi-python-client"), "generate",
            "--path", document, "--output-path", pathlib.Path(directory, "stepwell_client"), "--meta", "none",
        ],
        capture_output=True, text=True, check=False,
    )
    said = generated.stdout + generated.stderr
    assert generated.returncode == 0, said
    assert "will not be generated" not in said, f"the generator leaves something out:\n{said}"
    sys.path.insert(0, directory)


def scenario(url, agents):
    from stepwell_client import Client
    from stepwell_client.api.audit import list_audit
    from stepwell_client.api.callbacks import log_callback
    from stepwell_client.api.agents import (
        create_agent, delete_agent, get_agent, get_agent_health, list_agents, replace_agent,
    )
    from stepwell_client.api.runs import (
        cancel_run, get_run, list_run_audit, list_run_logs, list_run_steps, list_runs, retry_run,
    )
    from stepwell_client.api.system import health, metrics, ready, version
    from stepwell_client.api.workflows import (
        create_workflow, execute_workflow, get_workflow_version, list_workflow_versions, replace_workflow,
    )
    from stepwell_client.models import (
        AgentInput, CancelInput, ExecuteInput, ListRunLogsLevel, ListRunsStatusItem, LogsInput, RetryConfig,
        RetryInput, WorkflowInput,
    )

    client = Client(base_url=url, timeout=PATIENCE)

    def ask(operation, *arguments, status, **named):
        """Calls an operation; gives the parsed answer and its headers."""
        answer = operation.sync_detailed(*arguments, client=client, **named)
        assert answer.status_code == status, f"{operation.__name__}: {answer.status_code}: {answer.content}"
        return answer.parsed, answer.headers

    # --- The system is ready.
    assert ask(ready, status=200)[0].status == "ready"
    assert ask(health, status=200)[0].database == "connected"
    assert ask(version, status=200)[0].version

    # --- An agent of each kind; credentials are never shown.
    ids = {}
    for name, (auth_type, auth_config) in {**CREDENTIALS, "broken": ("none", None), "slow": ("none", None)}.items():
        described = {"name": name, "url": f"{agents.url}/{name}", "health_path": f"/{name}/health",
                     "auth_type": auth_type, "retry_config": {"max_attempts": 1}, "cancel": name == "slow"}
        if auth_config:
            described["auth_config"] = auth_config
        made, headers = ask(create_agent, status=201, body=AgentInput.from_dict(described))
        ids[name] = made.id
        assert headers["location"].endswith(str(made.id)), headers
        shown, _ = ask(get_agent, str(made.id), status=200)
        assert (shown.auth_type, shown.auth_config) == (auth_type, "•••" if auth_config else None)
        assert ask(get_agent_health, str(made.id), status=200)[0].status == "healthy"
    listed, _ = ask(list_agents, status=200, limit=2, count=True)
    assert (len(listed.items), listed.total) == (2, len(ids))
    second, _ = ask(list_agents, status=200, limit=200, cursor=listed.next_cursor)
    assert {agent.id for agent in listed.items + second.items} == set(ids.values())

    # --- Wrong credentials show at once, and are mended.
    right = {"name": "token", "url": f"{agents.url}/token", "health_path": "/token/health", "auth_type": "bearer",
             "auth_config": CREDENTIALS["token"][1], "retry_config": {"max_attempts": 1}}
    wrong = {**right, "auth_config": {"token": "guessed"}}
    ask(replace_agent, str(ids["token"]), status=200, body=AgentInput.from_dict(wrong))
    ill, _ = ask(get_agent_health, str(ids["token"]), status=200)
    assert (ill.status, ill.http_status) == ("unhealthy", 401), ill
    ask(replace_agent, str(ids["token"]), status=200, body=AgentInput.from_dict(right))
    assert ask(get_agent_health, str(ids["token"]), status=200)[0].status == "healthy"

    # --- A change on what somebody else has changed meanwhile is refused.
    _, headers = ask(get_agent, str(ids["open"]), status=200)
    change = AgentInput(name="open", url=f"{agents.url}/open", timeout_ms=5_000, retry_config=RetryConfig(max_attempts=2))
    changed, _ = ask(replace_agent, str(ids["open"]), status=200, body=change, if_match=headers["etag"])
    assert changed.timeout_ms == 5_000
    ask(replace_agent, str(ids["open"]), status=412, body=change, if_match=headers["etag"])

    # --- A workflow over all of them, in two versions.
    order = ["open", "token", "key", "basic", "broken"]
    definition = {"id": "round", "name": "Round", "steps": [
        {"name": name, "type": "agent", "config": {"agent": name, "input": {"user": "${input.user}"}}} for name in order[:4]
    ]}
    first, _ = ask(create_workflow, status=201, body=WorkflowInput.from_dict(definition))
    definition["steps"].append({"name": "broken", "type": "agent", "config": {"agent": "broken", "input": {}}})
    newer, _ = ask(replace_workflow, "round", status=200, body=WorkflowInput.from_dict(definition))
    assert (first.version, newer.version) == (1, 2)
    versions, _ = ask(list_workflow_versions, "round", status=200)
    assert [one.version for one in versions.items] == [2, 1]
    assert len(ask(get_workflow_version, "round", 1, status=200)[0].steps) == 4
    in_use, _ = ask(delete_agent, str(ids["key"]), status=409)
    assert in_use.type_.endswith(":in-use"), in_use

    # --- The first version as it was, the second fails at its last step.
    body = {"input": {"user": "Ada"}, "labels": {"team": "payments"}}
    run, _ = ask(execute_workflow, "round", status=200, wait_ms=PATIENCE * 1_000,
                 body=ExecuteInput.from_dict({**body, "version": 1}))
    assert (run.status, run.version) == ("completed", 1), run
    assert run.output == {"from": "/basic", "got": {"user": "Ada"}}
    failed, _ = ask(execute_workflow, "round", status=200, wait_ms=PATIENCE * 1_000, body=ExecuteInput.from_dict(body))
    assert (failed.status, failed.error["step"]) == ("failed", "broken"), failed
    for name in order:
        assert len(agents.called(f"/{name}")) == (1 if name == "broken" else 2), name

    # --- Once the agent is repaired, the run goes on from the step that failed.
    agents.repaired.set()
    ask(retry_run, failed.id, status=202, body=RetryInput(from_step="broken"))
    done = until("the retried run is over", lambda: over(ask(get_run, failed.id, status=200)[0]))
    assert (done.status, done.generation) == ("completed", 2), done
    assert [len(agents.called(f"/{name}")) for name in order] == [2, 2, 2, 2, 2]
    steps, _ = ask(list_run_steps, failed.id, status=200)
    assert [(step.name, step.status) for step in steps.items] == [(name, "completed") for name in order]
    ask(retry_run, failed.id, status=409, body=RetryInput())

    # --- One says something in the middle of its step, and is cancelled.
    nap = {"id": "nap", "name": "Nap", "steps": [{"name": "slow", "type": "agent", "config": {"agent": "slow", "input": {}}}]}
    ask(create_workflow, status=201, body=WorkflowInput.from_dict(nap))
    started, _ = ask(execute_workflow, "nap", status=202, body=ExecuteInput())
    call = until("the slow agent is called", lambda: agents.called("/slow"))[0]
    lines = {"lines": [{"level": "info", "message": "lying down"}, {"level": "warn", "message": "snoring"}]}
    token = call["callback_url"].rsplit("/", 1)[1]
    ask(log_callback, token, status=200, body=LogsInput.from_dict(lines))
    log, _ = ask(list_run_logs, started.id, status=200)
    assert [(line.step, line.message) for line in log.items] == [("slow", "lying down"), ("slow", "snoring")], log
    warned, _ = ask(list_run_logs, started.id, status=200, step="slow", level=ListRunLogsLevel.WARN)
    assert [line.message for line in warned.items] == ["snoring"], warned
    ask(cancel_run, started.id, status=202, body=CancelInput(reason="enough"))
    cancelled = until("the cancelled run is over", lambda: over(ask(get_run, started.id, status=200)[0]))
    assert (cancelled.status, cancelled.cancel_reason) == ("cancelled", "enough"), cancelled
    agents.released.set()
    until("the slow agent is told", lambda: f"/slow/runs/{started.id}" in agents.told)
    over_now = list_runs.sync(client=client, status=[ListRunsStatusItem.CANCELLED])
    assert [run.id for run in over_now.items] == [started.id], over_now

    # --- Everything is in the trail, without gaps.
    trail, _ = ask(list_run_audit, failed.id, status=200, limit=200)
    assert [record.sequence for record in trail.items] == list(range(1, len(trail.items) + 1))
    actions = " ".join(record.action for record in trail.items)
    assert "retr" in actions and "fail" in actions and "complet" in actions, actions

    # --- The whole audit, by its filters; it tells no secret.
    def recorded(**filters):
        page, _ = ask(list_audit, status=200, limit=200, **filters)
        text = json.dumps(page.to_dict())
        assert not any(secret in text for secret in SECRETS), text
        return [record.action for record in page.items]

    assert recorded(entity_id=str(ids["token"])) == ["agent.updated", "agent.updated", "agent.created"]
    assert len(recorded(entity_type="agent", action="agent.created")) == len(ids)
    assert recorded(entity_id=str(started.id), action="run.cancelled") == ["run.cancelled"]
    assert recorded(entity_type="workflow", actor="anonymous").count("workflow.created") == 2
    assert recorded(actor="nobody") == recorded(to=LONG_AGO) == []
    assert len(recorded(from_=LONG_AGO)) > 20

    # --- And counted.
    counted = metrics.sync_detailed(client=client)
    assert counted.status_code == 200 and b"stepwell_runs_finished_total" in counted.content


def over(run):
    return run if run.finished_at else None


def main():
    agents = Agents()
    with tempfile.TemporaryDirectory() as directory:
        generate(sys.argv[1], directory)
        with Server(sys.argv[1]) as server:
            scenario(server.url, agents)
            assert not server.errors(), server.errors()
    print("A generated client has managed agents, versions, runs, retries, cancels and the trail")


main()
