use taskflow::prelude::*;

#[task(retry_on = is_transient)]
fn no_error() -> u32 {
    1
}

#[task(retry_on = "is_transient")]
fn text() -> Result<u32> {
    Ok(1)
}

fn of_another_type(error: &std::io::Error) -> bool {
    error.kind() == std::io::ErrorKind::TimedOut
}

#[task(retry_on = of_another_type)]
fn parses(text: &str) -> Result<u32, std::num::ParseIntError> {
    text.parse()
}

fn main() {}
