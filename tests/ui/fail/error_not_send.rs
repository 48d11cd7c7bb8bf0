use taskflow::prelude::*;

#[task]
fn work() -> Result<u32, Box<dyn std::error::Error>> {
    Ok("12".parse()?)
}

fn main() {}
