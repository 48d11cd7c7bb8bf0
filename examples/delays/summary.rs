//! Joins the tables and counts flights.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde::{Deserialize, Serialize};

use super::input::{BadRow, Flight, Name, Table, Weather};

/// The flights with the weather at departure, and statistics about invalid and unmatched rows.
#[derive(Debug, Serialize, Deserialize)]
pub struct Joined {
    pub departures: Vec<Departure>,
    pub flight_rows: usize,
    pub bad_flights: usize,
    pub bad: Vec<BadRow>,
    pub unmatched: Unmatched,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Departure {
    pub carrier: String,
    pub origin: String,
    pub dest: String,
    pub delay: Option<i32>,
    pub wind: Option<f64>,
    pub rain: Option<f64>,
}

/// The number of flights without a match in the other tables.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unmatched {
    pub airline: usize,
    pub airport: usize,
    pub weather: usize,
}

/// The groups of one dimension ("carrier", "origin", ..), by descending share of late flights.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Summary {
    pub by: String,
    pub groups: Vec<Group>,
}

#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub struct Group {
    pub key: String,
    pub name: String,
    pub flights: u32,
    pub cancelled: u32,
    pub late: u32,
    pub delay_min: i64,
}

impl Group {
    /// The share of late flights among those that departed.
    pub fn late_share(&self) -> f64 {
        f64::from(self.late) / f64::from((self.flights - self.cancelled).max(1))
    }

    /// The mean delay in minutes, or `None` if every flight was cancelled.
    pub fn mean_delay(&self) -> Option<f64> {
        let departed = self.flights - self.cancelled;
        (departed > 0).then(|| self.delay_min as f64 / f64::from(departed))
    }
}

/// A left join: keeps every flight, with or without its airline, airports and weather.
pub fn join(
    flights: Table<Flight>,
    weather: &Table<Weather>,
    airlines: &Table<Name>,
    airports: &Table<Name>,
) -> Joined {
    let hours: HashMap<_, _> = weather.rows.iter().map(|w| ((w.origin.as_str(), w.hour), w)).collect();
    let airline: HashSet<_> = airlines.rows.iter().map(|a| &a.code).collect();
    let airport: HashSet<_> = airports.rows.iter().map(|a| &a.code).collect();

    let mut unmatched = Unmatched::default();
    let mut departures = Vec::with_capacity(flights.rows.len());
    for Flight { carrier, origin, dest, hour, delay } in flights.rows {
        let weather = hours.get(&(origin.as_str(), hour));
        unmatched.weather += usize::from(weather.is_none());
        unmatched.airline += usize::from(!airline.contains(&carrier));
        unmatched.airport += usize::from(!airport.contains(&origin) || !airport.contains(&dest));
        let (wind, rain) = weather.map_or((None, None), |w| (w.wind, w.rain));
        departures.push(Departure { carrier, origin, dest, delay, wind, rain });
    }
    let bad_flights = flights.bad.len();
    let bad = [&flights.bad, &weather.bad, &airlines.bad, &airports.bad].into_iter().flatten().cloned().collect();
    Joined { departures, flight_rows: flights.read, bad_flights, bad, unmatched }
}

/// Counts the departures of each `key`. Names of keys come from `names`.
pub fn summarise(
    by: &str,
    departures: &[Departure],
    late_after_min: u32,
    names: &[Name],
    key: impl Fn(&Departure) -> &str,
) -> Summary {
    let mut groups: BTreeMap<&str, Group> = BTreeMap::new();
    for departure in departures {
        let group = groups.entry(key(departure)).or_default();
        group.flights += 1;
        match departure.delay {
            None => group.cancelled += 1,
            Some(delay) => {
                group.late += u32::from(i64::from(delay) > i64::from(late_after_min));
                group.delay_min += i64::from(delay);
            }
        }
    }
    let names: HashMap<_, _> = names.iter().map(|n| (n.code.as_str(), n.name.as_str())).collect();
    let named = |(key, group): (&str, Group)| Group {
        key: key.into(),
        name: names.get(key).unwrap_or(&"").to_string(),
        ..group
    };
    let mut groups: Vec<Group> = groups.into_iter().map(named).collect();
    groups.sort_by(|a, b| b.late_share().total_cmp(&a.late_share()));
    Summary { by: by.into(), groups }
}

pub fn wind(departure: &Departure) -> &str {
    match departure.wind {
        None => "unknown",
        Some(mph) if mph < 10.0 => "under 10 mph",
        Some(mph) if mph < 20.0 => "10 to 20 mph",
        Some(mph) if mph < 30.0 => "20 to 30 mph",
        Some(_) => "over 30 mph",
    }
}

pub fn rain(departure: &Departure) -> &str {
    match departure.rain {
        None => "unknown",
        Some(inch) if inch <= 0.0 => "dry",
        Some(inch) if inch < 0.1 => "under 0.1 inch",
        Some(_) => "0.1 inch or more",
    }
}
