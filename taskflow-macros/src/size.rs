//! The syntax of amounts of memory: `"512MiB"`, `"1.5 GiB"`, `"2GB"`.

/// The units, in bytes.
const UNITS: [(&str, u64); 8] = [
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
];

/// The units, for messages.
pub(crate) const UNITS_TEXT: &str = "valid units: KiB, MiB, GiB, TiB, kB, MB, GB, TB";

/// Parses a number and its unit. Fractions of a byte are truncated.
pub(crate) fn parse(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let number_end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(number_end);
    let unit = unit.trim_start();
    if number.is_empty() {
        return Err(format!("an amount of memory is a number with a unit, as in \"512MiB\"\n{UNITS_TEXT}"));
    }
    if unit.is_empty() {
        return Err(format!("`{number}` has no unit; write \"{number}MiB\" for mebibytes\n{UNITS_TEXT}"));
    }
    let Some((_, bytes)) = UNITS.iter().find(|(name, _)| *name == unit) else {
        let meant = UNITS.iter().find(|(name, _)| name.to_lowercase().starts_with(&unit.to_lowercase()));
        let hint = meant.map(|(name, _)| format!("; did you mean `{number}{name}`?")).unwrap_or_default();
        return Err(format!("there is no unit `{unit}`{hint}\n{UNITS_TEXT}"));
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let scaled = || {
        let scale = 10_u128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
        let digits = whole.parse::<u128>().ok()?.checked_mul(scale)?.checked_add(fraction.parse().ok()?)?;
        u64::try_from(digits.checked_mul(u128::from(*bytes))? / scale).ok()
    };
    match scaled() {
        Some(0) => Err("an amount of memory must be at least one byte".to_owned()),
        Some(bytes) => Ok(bytes),
        None => Err(format!(
            "`{number}{unit}` is not a valid amount of memory; write a number such as `512` or `1.5` before the unit"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_exact() {
        assert_eq!(parse("512MiB"), Ok(512 << 20));
        assert_eq!(parse(" 1.5 GiB "), Ok(3 << 29));
        assert_eq!(parse("2GB"), Ok(2_000_000_000));
        assert_eq!(parse("0.001kB"), Ok(1));
    }

    #[test]
    fn mistakes_are_explained() {
        let wrong = |text: &str| parse(text).unwrap_err();
        let invalid = |text: &str| {
            format!("`{text}` is not a valid amount of memory; write a number such as `512` or `1.5` before the unit")
        };
        assert_eq!(wrong("512"), format!("`512` has no unit; write \"512MiB\" for mebibytes\n{UNITS_TEXT}"));
        assert_eq!(wrong("512m"), format!("there is no unit `m`; did you mean `512MiB`?\n{UNITS_TEXT}"));
        assert_eq!(wrong("5 apples"), format!("there is no unit `apples`\n{UNITS_TEXT}"));
        assert_eq!(wrong("0MiB"), "an amount of memory must be at least one byte");
        assert_eq!(wrong("1.2.3MiB"), invalid("1.2.3MiB"));
        assert_eq!(wrong("99999999999TiB"), invalid("99999999999TiB"));
        assert!(wrong("MiB").starts_with("an amount of memory is a number with a unit"));
    }
}
