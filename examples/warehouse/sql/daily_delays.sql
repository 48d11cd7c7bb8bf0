-- One row per carrier and day. Contains only counts and sums, which can be added up over days;
-- reports compute means and shares.
select
    f.flight_date,
    f.carrier,
    a.airline,
    count(*) as flights,
    count(case when f.cancelled then 1 end) as cancelled,
    -- A diverted flight is not cancelled, but has no arrival.
    count(f.arr_delay_min) as arrived,
    count(case when f.arr_delay_min > 15 then 1 end) as late,
    sum(f.arr_delay_min) as arr_delay_min,
    max(f.wind_mph) as worst_wind_mph,
    max(f.precip_in) as worst_precip_in
from fact_flights f
left join dim_airline a on a.carrier = f.carrier
group by f.flight_date, f.carrier, a.airline
order by flight_date, carrier
