-- One row per flight, with the weather of its hour if known.
select
    f.flight_date,
    f.carrier,
    f.flight,
    f.origin,
    f.dest,
    f.sched_dep_time,
    f.dep_time is null as cancelled,
    f.dep_delay_min,
    f.arr_delay_min,
    f.distance_miles,
    w.wind_mph,
    w.precip_in
from raw_flights f
left join raw_weather w on w.origin = f.origin and w.time_hour = f.time_hour
order by flight_date, carrier, flight, origin, sched_dep_time
