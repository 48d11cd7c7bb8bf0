use taskflow::prelude::*;

#[task]
fn number() -> u32 {
    3
}

#[dag]
fn example() -> Result<u32> {
    Ok(number())
}

fn main() {}
