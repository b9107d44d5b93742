drop table stepwell.api_key;
