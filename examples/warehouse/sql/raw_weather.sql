-- The hourly weather of the month at the three airports.
select
    csv.origin,
    csv.time_hour,
    cast(nullif(csv.wind_speed, 'NA') as double) as wind_mph,
    cast(nullif(csv.precip, 'NA') as double) as precip_in
from weather_csv csv
cross join this_month
where cast(csv.year as int) = this_month.year and cast(csv.month as int) = this_month.month
order by origin, time_hour
