use taskflow::prelude::*;

#[task]
fn number() -> Result<u32> {
    Ok(1)
}

#[task]
fn by_text(outcome: Result<u32, String>) -> bool {
    outcome.is_ok()
}

#[task]
fn other(outcome: Result<String, Failure>) -> bool {
    outcome.is_ok()
}

#[dag]
fn example() -> bool {
    by_text(number());
    other(number())
}

fn main() {}
