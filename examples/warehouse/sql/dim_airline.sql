select carrier, name as airline
from airlines_csv
order by carrier
