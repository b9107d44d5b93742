drop table stepwell.outbox, stepwell.delivery, stepwell.event, stepwell.callback, stepwell.subscription,
    stepwell.schedule;
