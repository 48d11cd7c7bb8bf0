//! Times of day. The macros compile this file as well, so that a text means the same in both.

/// A time of day as clocks show it: `09:00`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClockTime {
    hour: u8,
    minute: u8,
    second: u8,
}

impl ClockTime {
    /// A time of day. Times after 23:59:59 are 23:59:59.
    pub const fn new(hour: u8, minute: u8, second: u8) -> Self {
        if hour > 23 || minute > 59 || second > 59 {
            return ClockTime { hour: 23, minute: 59, second: 59 };
        }
        ClockTime { hour, minute, second }
    }

    /// Parses `09:00` or `09:00:30`.
    ///
    /// # Errors
    ///
    /// When the text is something else; the message says what to write.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text == "24:00" {
            return Err("a day ends at `23:59:59`; `00:00` is the midnight after the slot".to_owned());
        }
        let lower = text.to_ascii_lowercase();
        if lower.ends_with("am") || lower.ends_with("pm") {
            return Err(format!("`{text}` is a time of twelve hours; write it with 24 hours, such as `17:30`"));
        }
        let number = |part: &str, most: u8| {
            let is_number = part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
            part.parse::<u8>().ok().filter(|number| is_number && *number <= most)
        };
        let parts: Vec<&str> = text.split(':').collect();
        let time = match parts[..] {
            [hour, minute] => number(hour, 23).zip(number(minute, 59)).map(|(hour, minute)| (hour, minute, 0)),
            [hour, minute, second] => number(hour, 23)
                .zip(number(minute, 59))
                .zip(number(second, 59))
                .map(|((hour, minute), second)| (hour, minute, second)),
            _ => None,
        };
        let invalid = || format!("`{text}` is not a time of day; write two digits each, from `00:00` to `23:59`");
        time.map(|(hour, minute, second)| ClockTime { hour, minute, second }).ok_or_else(invalid)
    }

    /// Its hour, minute and second.
    pub const fn parts(self) -> (u8, u8, u8) {
        (self.hour, self.minute, self.second)
    }
}

impl std::fmt::Display for ClockTime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ClockTime { hour, minute, second } = self;
        match second {
            0 => write!(f, "{hour:02}:{minute:02}"),
            _ => write!(f, "{hour:02}:{minute:02}:{second:02}"),
        }
    }
}
