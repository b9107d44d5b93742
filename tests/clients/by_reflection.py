"""Writes a workflow over REST and executes it over gRPC, knowing only the two addresses: the contract
comes by reflection.

usage: by_reflection.py http://127.0.0.1:8080/ 127.0.0.1:50051
"""

import json
import sys
import time
import urllib.request

import grpc
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)

TIMEOUT = 60


class Service:
    """A service whose methods are made from what the server says of them."""

    def __init__(self, channel, pool, name):
        for method in pool.FindServiceByName(name).methods:
            request = GetMessageClass(method.input_type)
            answer = GetMessageClass(method.output_type)
            make = channel.unary_stream if method.server_streaming else channel.unary_unary
            call = make(
                f"/{name}/{method.name}",
                request_serializer=request.SerializeToString,
                response_deserializer=answer.FromString,
            )
            setattr(self, method.name, self._method(call, request))

    @staticmethod
    def _method(call, request):
        def ask(metadata=(), **fields):
            return call(request(**fields), timeout=TIMEOUT, metadata=metadata)

        return ask


def rest(base, method, path, body=None):
    """Asks over REST; fails on anything but success."""
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(base + path, data, headers, method=method)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=TIMEOUT) as answer:
        text = answer.read()
        return json.loads(text) if text else None


def until(what, look):
    """Looks until there is something to see."""
    end = time.monotonic() + TIMEOUT
    while time.monotonic() < end:
        if seen := look():
            return seen
        time.sleep(0.05)
    raise AssertionError(f"not within {TIMEOUT} s: {what}")


def code_of(call):
    """The status of a call that is refused."""
    try:
        call()
    except grpc.RpcError as error:
        return error.code().name
    raise AssertionError("it is not refused")


def transform(name, sequence, execution_type, value):
    return {"name": name, "type": "transform", "sequence": sequence, "execution_type": execution_type,
            "config": {"value": value}}


class Author:
    """Writes workflows over REST, and executes them over gRPC."""

    def __init__(self, base, address):
        self.rest = lambda *asked: rest(base, *asked)
        channel = grpc.insecure_channel(address, options=[("grpc.enable_http_proxy", 0)])
        database = ProtoReflectionDescriptorDatabase(channel)
        names = sorted(database.get_services())
        assert "stepwell.v1.WorkflowService" in names, names
        self.pool = DescriptorPool(database)
        self.workflows = Service(channel, self.pool, "stepwell.v1.WorkflowService")
        self.health = Service(channel, self.pool, "grpc.health.v1.Health")

    def name_of(self, number):
        return self.pool.FindEnumTypeByName("stepwell.v1.ExecutionStatus").values_by_number[number].name

    def statuses(self, updates):
        """Each status once, as it changes."""
        names = [self.name_of(update.status) for update in updates]
        return [name for n, name in enumerate(names) if n == 0 or names[n - 1] != name]

    def standing(self, execution_id):
        """An execution as it stands; REST says the same."""
        execution = self.workflows.GetWorkflowStatus(execution_id=execution_id)
        status = self.rest("GET", f"api/v1/runs/{execution_id}")["status"]
        name = self.name_of(execution.status)
        return execution, name if name == status.upper() else None

    def becomes(self, execution_id, status):
        """Waits until both doors show this status."""
        return until(f"{execution_id} is {status}", lambda: (
            lambda seen: seen[0] if seen[1] == status else None)(self.standing(execution_id)))

    def serves(self):
        serving = self.health.Check(service="stepwell.v1.WorkflowService").status
        print("health:", self.pool.FindEnumTypeByName(
            "grpc.health.v1.HealthCheckResponse.ServingStatus").values_by_number[serving].name)

    def writes(self):
        """A workflow and its tasks, made, read, changed and taken away, each change seen at once."""
        first = transform("hello", 10, "sync", "Hello ${input.user}")
        tasks = "api/v1/workflows/by-reflection/tasks"
        self.rest("POST", "api/v1/workflows", {"id": "by-reflection", "name": "By reflection", "steps": [first],
                                               "output": "${steps.hello.output}"})
        ask = {"name": "ask", "type": "wait", "sequence": 20, "execution_type": "async", "config": {"signal": "go"}}
        for task in (ask, transform("left", 20, "sync", 1), transform("wrong", 20, "sync", 0)):
            self.rest("POST", tasks, task)
        self.rest("PUT", f"{tasks}/left", transform("left", 20, "sync", 2))
        assert self.rest("GET", f"{tasks}/left")["config"]["value"] == 2
        self.rest("POST", tasks, transform("last", 30, "sync", 3))
        self.rest("DELETE", f"{tasks}/wrong")
        listed = self.rest("GET", tasks)["items"]
        assert [(task["name"], task["sequence"], task["execution_type"]) for task in listed] == [
            ("hello", 10, "sync"), ("ask", 20, "async"), ("left", 20, "sync"), ("last", 30, "sync")], listed
        assert self.rest("GET", "api/v1/workflows/by-reflection")["version"] == 7

    def executes(self):
        """A stream from PENDING to the end, with a signal for the task that nobody waits for but the run."""
        stream = self.workflows.ExecuteWorkflow(
            metadata=[("x-request-id", "python-1")],
            workflow_id="by-reflection", input_json=json.dumps({"user": "Ada"}))
        updates = [next(stream)]
        assert self.name_of(updates[0].status) == "PENDING", updates
        execution_id = updates[0].execution_id
        while (updates[-1].step.name, updates[-1].type) != ("last", "step.completed"):
            updates.append(next(stream))
        waiting = self.becomes(execution_id, "WAITING")
        assert (waiting.version, waiting.blocked_on.kind) == (7, "signal"), waiting
        signalled = self.workflows.SignalExecution(
            execution_id=execution_id, name="go", value_json="[1, null]")
        assert signalled.execution_id == execution_id
        updates.extend(stream)
        assert [u.sequence for u in updates] == list(range(1, len(updates) + 1)), updates
        print("statuses:", *self.statuses(updates))
        done = [u.step.name for u in updates if u.type == "step.completed"]
        assert (done[0], done[-1], sorted(done)) == ("hello", "ask", ["ask", "hello", "last", "left"]), done
        assert json.loads(updates[-1].output_json) == "Hello Ada", updates[-1]
        standing, status = self.standing(execution_id)
        assert (status, json.loads(standing.output_json)) == ("COMPLETED", "Hello Ada"), standing
        assert (standing.steps_done, standing.steps_total) == (4, 4), standing
        trail = self.rest("GET", f"api/v1/runs/{execution_id}/audit")["items"]
        assert trail[0]["request_id"] == "python-1", trail[0]
        for after in (0, 2, len(updates) - 1, len(updates)):
            again = list(self.workflows.WatchExecution(execution_id=execution_id, after_sequence=after))
            assert [u.sequence for u in again] == list(range(after + 1, len(updates) + 1)), (after, again)
            # But for the time of the first message, which is sent before its record is read, it is the same.
            assert [u for u in again if u.sequence > 1] == updates[max(after, 1):], again

    def cancels_and_retries(self):
        """A client that goes away stops nothing; a cancel does, and a retry goes on from there."""
        stream = self.workflows.ExecuteWorkflow(workflow_id="by-reflection", input_json='{"user": "Bob"}')
        execution_id = next(stream).execution_id
        stream.cancel()
        self.becomes(execution_id, "WAITING")
        self.workflows.CancelExecution(execution_id=execution_id, reason="enough")
        cancelled = self.becomes(execution_id, "CANCELLED")
        assert (cancelled.cancel_reason, cancelled.generation) == ("enough", 1), cancelled
        seen = list(self.workflows.WatchExecution(execution_id=execution_id))
        assert self.statuses(seen)[-1] == "CANCELLED", seen
        retried = self.workflows.RetryExecution(execution_id=execution_id)
        assert retried.generation == 2, retried
        assert code_of(lambda: self.workflows.RetryExecution(execution_id=execution_id)) == "FAILED_PRECONDITION"
        self.workflows.SignalExecution(execution_id=execution_id, name="go")
        rest_of_it = list(self.workflows.WatchExecution(
            execution_id=execution_id, after_sequence=seen[-1].sequence))
        assert self.statuses(rest_of_it)[-1] == "COMPLETED", rest_of_it
        # What had completed before the cancel is not done again.
        assert {u.step.name for u in rest_of_it if u.type == "step.completed"} == {"ask"}, rest_of_it

    def is_refused(self):
        execute = self.workflows.ExecuteWorkflow
        print("refused:", code_of(lambda: list(execute(workflow_id="by-reflection", priority=1000))))
        nobody = "01890000-0000-7000-8000-000000000000"
        assert code_of(lambda: self.workflows.GetWorkflowStatus(execution_id=nobody)) == "NOT_FOUND"
        self.rest("DELETE", "api/v1/workflows/by-reflection")
        assert code_of(lambda: list(execute(workflow_id="by-reflection"))) == "NOT_FOUND"


def main(base, address):
    author = Author(base, address)
    author.serves()
    author.writes()
    author.executes()
    author.cancels_and_retries()
    author.is_refused()


if __name__ == "__main__":
    main(*sys.argv[1:])
