drop table stepwell.detached, stepwell.result, stepwell.log, stepwell.token_key;
