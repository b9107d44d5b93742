drop index stepwell.detached_suspect;
drop index stepwell.job_suspect;
alter table stepwell.worker drop column session;
