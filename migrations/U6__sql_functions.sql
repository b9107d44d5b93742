drop function stepwell.resume_queue(text), stepwell.pause_queue(text),
    stepwell.turn_queue(text, boolean), stepwell.retry_run(uuid, jsonb), stepwell.signal_run(uuid, text, jsonb),
    stepwell.resume_run(uuid), stepwell.pause_run(uuid), stepwell.cancel_run(uuid, text), stepwell.stands(uuid, text),
    stepwell.tell(uuid, text, json), stepwell.execute(text, jsonb, jsonb),
    stepwell.open_generation(uuid, text, boolean, text, text), stepwell.send(uuid, text, json, text, text),
    stepwell.cancel_unbegun(uuid, text, text, text), stepwell.say(text, text), stepwell.refuse_unknown_run(uuid),
    stepwell.refuse(text, text[]), stepwell.payload_fault(jsonb), stepwell.option(jsonb, text, text),
    stepwell.option_faults(jsonb, jsonb), stepwell.caller_request_id(text), stepwell.caller(), stepwell.limits(),
    stepwell.uuid7_time(uuid), stepwell.uuid7();
comment on function stepwell.uuid7_bound(timestamptz) is null;
