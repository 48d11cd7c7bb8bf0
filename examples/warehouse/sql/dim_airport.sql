select
    faa as airport,
    name,
    cast(lat as double) as latitude,
    cast(lon as double) as longitude,
    cast(alt as int) as altitude_ft,
    nullif(tzone, 'NA') as time_zone
from airports_csv
order by airport
