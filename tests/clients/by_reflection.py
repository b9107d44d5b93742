"""Executes a workflow over gRPC, knowing only the two addresses: the contract comes by reflection.

usage: by_reflection.py http://127.0.0.1:8080/ 127.0.0.1:50051
"""

import json
import sys
import urllib.error
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
        return json.load(answer)


def main(base, address):
    steps = [
        {"name": "hello", "type": "transform", "sequence": 1, "config": {"value": "Hello ${input.user}"}},
        {"name": "left", "type": "delay", "sequence": 2, "config": {"duration": 0.1}},
        {"name": "right", "type": "transform", "sequence": 2, "config": {"value": 2}},
    ]
    definition = {"id": "by-reflection", "name": "By reflection", "steps": steps,
                  "output": "${steps.hello.output}"}
    created = rest(base, "POST", "api/v1/workflows", definition)

    channel = grpc.insecure_channel(address, options=[("grpc.enable_http_proxy", 0)])
    database = ProtoReflectionDescriptorDatabase(channel)
    names = sorted(database.get_services())
    assert "stepwell.v1.WorkflowService" in names, names
    pool = DescriptorPool(database)
    status_names = pool.FindEnumTypeByName("stepwell.v1.ExecutionStatus").values_by_number
    name_of = lambda number: status_names[number].name

    health = Service(channel, pool, "grpc.health.v1.Health")
    serving = health.Check(service="stepwell.v1.WorkflowService").status
    print("health:", pool.FindEnumTypeByName(
        "grpc.health.v1.HealthCheckResponse.ServingStatus").values_by_number[serving].name)

    workflows = Service(channel, pool, "stepwell.v1.WorkflowService")
    updates = list(workflows.ExecuteWorkflow(
        metadata=[("x-request-id", "python-1")],
        workflow_id=created["id"], input_json=json.dumps({"user": "Ada"})))
    assert [u.sequence for u in updates] == list(range(1, len(updates) + 1)), updates
    statuses = []
    for update in updates:
        if not statuses or statuses[-1] != name_of(update.status):
            statuses.append(name_of(update.status))
    print("statuses:", *statuses)
    steps_seen = {update.step.name for update in updates if update.HasField("step")}
    assert steps_seen == {"hello", "left", "right"}, steps_seen
    assert json.loads(updates[-1].output_json) == "Hello Ada", updates[-1]

    execution_id = updates[0].execution_id
    standing = workflows.GetWorkflowStatus(execution_id=execution_id)
    assert name_of(standing.status) == "COMPLETED", standing
    assert json.loads(standing.output_json) == "Hello Ada", standing
    assert rest(base, "GET", f"api/v1/runs/{execution_id}")["status"] == "completed"

    tail = list(workflows.WatchExecution(
        execution_id=execution_id, after_sequence=updates[-2].sequence))
    assert [u.type for u in tail] == ["run.completed"], tail

    try:
        list(workflows.ExecuteWorkflow(workflow_id=created["id"], priority=1000))
    except grpc.RpcError as error:
        print("refused:", error.code().name)


if __name__ == "__main__":
    main(*sys.argv[1:])
