-- The flights of the month with types. `NA` becomes null. Any other value that cannot be cast fails
-- the load, in both engines.
select
    make_date(cast(csv.year as int), cast(csv.month as int), cast(csv.day as int)) as flight_date,
    csv.carrier,
    cast(csv.flight as int) as flight,
    csv.origin,
    csv.dest,
    cast(csv.sched_dep_time as int) as sched_dep_time,
    cast(nullif(csv.dep_time, 'NA') as int) as dep_time,
    cast(nullif(csv.dep_delay, 'NA') as int) as dep_delay_min,
    cast(nullif(csv.arr_delay, 'NA') as int) as arr_delay_min,
    cast(csv.distance as int) as distance_miles,
    -- Text, because the two engines store timestamps differently.
    csv.time_hour
from flights_csv csv
cross join this_month
where cast(csv.year as int) = this_month.year and cast(csv.month as int) = this_month.month
order by flight_date, carrier, flight, origin, sched_dep_time
