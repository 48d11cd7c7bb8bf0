-- The visits of each day. A visit ends when the visitor pauses for longer than :idle_min minutes. Pages are in the order of
-- first reading. Visits of one page are omitted, because they say nothing about pages read together.
WITH
  paused AS (
    SELECT *, coalesce(time - lag(time) OVER visitor > make_dt_interval(0, 0, :idle_min), true) AS begins
    FROM pages_read
    WINDOW visitor AS (PARTITION BY date, ip, agent ORDER BY time, place)
  ),
  numbered AS (
    SELECT *, count_if(begins) OVER visitor AS session
    FROM paused
    WINDOW visitor AS (PARTITION BY date, ip, agent ORDER BY time, place ROWS UNBOUNDED PRECEDING)
  ),
  first_reads AS (
    SELECT date, ip, agent, session, page, min(struct(time, place)) AS first
    FROM numbered
    GROUP BY date, ip, agent, session, page
  )
SELECT date, transform(array_sort(collect_list(struct(first, page))), read -> read.page) AS pages
FROM first_reads
GROUP BY date, ip, agent, session
HAVING count(*) > 1
ORDER BY date, ip, agent, session
