//! How often something may begin: `10/s`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// So many in so much time, spread evenly: of ten a second one every 100 ms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Rate {
    count: u32,
    per: Duration,
}

impl Rate {
    /// The time from one to the next.
    pub(crate) fn interval(self) -> Duration {
        self.per / self.count
    }
}

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!("`{text}` is not a valid rate; write a number and a unit, as in `10/s`, `100/min`, `1000/h`, `5/d`")
        };
        let (count, unit) = text.split_once('/').ok_or_else(wrong)?;
        let seconds = match unit.trim() {
            "s" | "sec" | "second" => 1,
            "m" | "min" | "minute" => 60,
            "h" | "hour" => 3600,
            "d" | "day" => 86_400,
            _ => return Err(wrong()),
        };
        match count.trim().parse() {
            Ok(0) => Err(format!("`{text}` would start nothing; write a number of at least 1, or remove the rate")),
            Ok(count) => Ok(Rate { count, per: Duration::from_secs(seconds) }),
            Err(_) => Err(wrong()),
        }
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} every {:?}", self.count, self.per)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Rate;

    #[test]
    fn a_rate_is_parsed_with_its_unit() {
        let read = ["10/s", " 120 / min ", "3600/h", "1/d"].map(|text| text.parse().map(Rate::interval));
        let expected = [100, 500, 1000, 86_400_000].map(|millis| Ok(Duration::from_millis(millis)));
        assert_eq!(read, expected);
    }

    #[test]
    fn an_invalid_rate_is_rejected_with_a_valid_example() {
        for text in ["", "10", "ten/s", "-1/s", "10/week", "0/s", "1.5/s"] {
            let error = text.parse::<Rate>().expect_err(text);
            assert!(error.contains(text), "{error}");
        }
    }
}
