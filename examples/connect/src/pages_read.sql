-- Pages read, without images, scripts and other files, and without clients that read robots.txt on the same day.
WITH
  fields AS (
    SELECT
      regexp_extract(value, :line, 1) AS ip,
      try_to_timestamp(regexp_extract(value, :line, 2), 'dd/MMM/yyyy:HH:mm:ss Z') AS time,
      split(regexp_extract(value, :line, 3), ' ') AS request,
      try_cast(regexp_extract(value, :line, 4) AS INT) AS status,
      regexp_extract(value, :line, 5) AS agent,
      place
    FROM lines
    WHERE is_valid_utf8(value) AND value RLIKE :line
  ),
  requests AS (
    SELECT
      date_format(time, 'yyyy-MM-dd') AS date, ip, agent, time, place,
      request[0] AS method, request[1] AS path, regexp_extract(request[1], '^[^?#]*', 0) AS page, status
    FROM fields
    WHERE time IS NOT NULL AND size(request) = 3
  ),
  robots AS (SELECT DISTINCT date, ip FROM requests WHERE path = '/robots.txt'),
  files AS (SELECT *, substring_index(page, '/', -1) AS file FROM requests)
SELECT date, ip, agent, time, place, page
FROM files ANTI JOIN robots USING (date, ip)
WHERE method = 'GET' AND status IN (200, 304)
  AND (NOT contains(file, '.') OR substring_index(file, '.', -1) IN ('html', 'xhtml', 'php'))
