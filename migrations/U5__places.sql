drop table stepwell.appeal;
drop table stepwell.seat;
drop table stepwell.place;
