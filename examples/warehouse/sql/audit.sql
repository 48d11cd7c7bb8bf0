-- The counts that must be equal before the tables of the month are published: one row per comparison.
select
    'raw_flights, rows' as counted,
    (select count(*) from raw_flights) as found,
    'the file, rows of month' as compared_with,
    (
        select count(*)
        from flights_csv csv
        cross join this_month
        where csv.year = cast(this_month.year as varchar) and csv.month = cast(this_month.month as varchar)
    ) as expected
union all
select
    'fact_flights, rows',
    (select count(*) from fact_flights),
    'raw_flights, rows',
    (select count(*) from raw_flights)
union all
select
    'fact_flights, keys',
    (
        select count(*)
        from (select distinct flight_date, carrier, flight, origin, sched_dep_time from fact_flights) keys
    ),
    'fact_flights, rows',
    (select count(*) from fact_flights)
union all
select
    'daily_delays, flights',
    (select coalesce(sum(flights), 0) from daily_delays),
    'fact_flights, rows',
    (select count(*) from fact_flights)
order by counted
