//! Checks cron expressions of five fields while a program compiles.

use crate::cron_fields::CronFields;

/// Checks an expression. The error is a message.
pub(crate) fn check(text: &str) -> Result<(), String> {
    CronFields::parse(text).map(drop)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn common_expressions_are_accepted() {
        let accepted = [
            "* * * * *",
            "0 6 * * *",
            "*/15 6-18 * * MON-FRI",
            "0,30 9-17/2 1,15 1-12/3 *",
            "0 0 29 2 *",
            "0 0 L * *",
            "0 0 15W * *",
            "0 0 * * FRI#2",
            "0 0 * * 7",
            "0 0 13 * 5",
            "5 4 * jan,jul sun",
            "*/59 * * * *",
            "10-40/30 * * * *",
            "0  6\t* * *",
        ];
        for text in accepted {
            assert_eq!(check(text), Ok(()), "{text}");
        }
    }

    #[test]
    fn mistakes_are_explained() {
        let rejected = [
            ("", "empty"),
            ("* * * *", "add the day of the week"),
            ("0 0 6 * * *", "without seconds, write `0 6 * * *`"),
            ("0 0 6 * * * 2026", "this one has 7"),
            ("*/90 * * * *", "write at most 59"),
            ("*/60 * * * *", "write at most 59"),
            ("0 */24 * * *", "write at most 23"),
            ("0 0 */31 * *", "write at most 30"),
            ("10-20/15 * * * *", "the 11 values of the minute"),
            ("50/15 * * * *", "the 10 values"),
            ("0 22-6 * * *", "write `22-23,0-6`"),
            ("60 * * * *", "`60` is not a valid minute"),
            ("0 24 * * *", "`24` is not a valid hour"),
            ("0 0 0 * *", "`0` is not a valid day of the month"),
            ("0 0 * 13 *", "`13` is not a valid month"),
            ("0 0 * * 8", "`8` is not a valid day of the week"),
            ("0 0 * * MONDAY", "MON"),
            ("x * * * *", "`x` is not a valid minute"),
            ("*/0 * * * *", "`*/0` is not a valid minute"),
            ("0 0 30 2 *", "month `2` has no day `30`"),
            ("0 0 31 4,6,9,11 *", "month `4,6,9,11` has no day `31`"),
        ];
        for (text, part) in rejected {
            let message = check(text).expect_err(text);
            assert!(message.contains(part), "{text}: {message}");
        }
    }

    proptest! {
        #[test]
        fn arbitrary_text_does_not_panic(text in "\\PC*") {
            let _ = check(&text);
        }
    }
}
