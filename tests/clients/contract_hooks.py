"""What the contract test adds to schemathesis: a check of its own, and data that a client would send."""

import schemathesis

WAIT_MS = 20
WAIT_MS_MAX = 60_000


def is_positive(case):
    mode = getattr(getattr(case, "meta", None), "generation", None)
    return mode is not None and mode.mode.is_positive


def shorten(part):
    """Nobody waits here for the end of a run: the waiting has tests of its own. What is out of
    bounds stays so."""
    if isinstance(part, dict):
        wait = part.get("wait_ms")
        if isinstance(wait, str) and wait.isdigit() and WAIT_MS < int(wait) <= WAIT_MS_MAX:
            part["wait_ms"] = str(WAIT_MS)
        elif isinstance(wait, (int, float)) and WAIT_MS < wait <= WAIT_MS_MAX:
            part["wait_ms"] = WAIT_MS


def whole(value):
    """JSON Schema takes 14.0 for an integer. The API wants whole numbers without a fraction, as
    every JSON writer writes an integer."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    if isinstance(value, dict):
        return {key: whole(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [whole(inner) for inner in value]
    return value


@schemathesis.hook
def before_call(context, case, kwargs):
    shorten(case.query)
    shorten(case.body)
    if is_positive(case):
        # A cursor is opaque: one that this list has not given out is no use of the API. Those that were
        # given out come from links; a made-up one goes with the negative cases.
        if case.query and "cursor" in case.query and not is_given_out(case.path, case.query["cursor"]):
            del case.query["cursor"]
        # So is the id of an event: the stream has given it out. That of one run is a small number.
        for part, name in ((case.query, "last_event_id"), (case.headers, "Last-Event-ID")):
            if part and name in part and not is_event_of(case.path, part[name]):
                del part[name]
        # Schemathesis makes no header with quotation marks, and puts a bare 0 in its place.
        if case.headers and case.headers.get("If-Match") == "0":
            case.headers["If-Match"] = '"0"'
        if isinstance(case.body, (dict, list)):
            case.body = whole(case.body)


def is_given_out(path, cursor):
    return (path, cursor) in GIVEN_OUT


def is_event_of(path, event):
    return path == "/api/v1/runs/{id}/events" and event.isascii() and event.isdigit() and len(event) < 10


GIVEN_OUT = set()


@schemathesis.hook
def after_call(context, case, response):
    try:
        cursor = response.json().get("next_cursor")
    except Exception:  # an answer that is no JSON object has no cursor
        return
    if cursor:
        GIVEN_OUT.add((case.path, cursor))


@schemathesis.check
def says_what_is_wrong(ctx, response, case):
    """Whatever is refused is refused as RFC 9457 says, and the request can be found by its id."""
    request_id = response.headers.get("x-request-id")
    assert request_id, "the answer has no X-Request-ID"
    if response.status_code < 400 or case.method == "HEAD" or case.path.startswith("/health"):
        return
    problem = response.json()
    assert response.headers["content-type"][0] == "application/problem+json"
    assert problem["status"] == response.status_code
    assert problem["type"].startswith("urn:stepwell:problem:")
    assert problem["request_id"] == request_id[0], "the body names another request"
    assert problem["detail"], "no detail"
    if problem["type"].endswith((":invalid", ":malformed-body", ":invalid-parameter")):
        assert problem.get("errors"), f"{problem['type']} lists no errors"
        for error in problem["errors"]:
            assert error["detail"] and ("pointer" in error) != ("parameter" in error), error
