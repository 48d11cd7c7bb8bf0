-- Destinations of the month that are missing from dim_airport.
select f.dest as airport, count(*) as flights
from fact_flights f
left join dim_airport a on a.airport = f.dest
where a.airport is null
group by f.dest
order by flights desc, airport
