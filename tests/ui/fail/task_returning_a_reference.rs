use taskflow::prelude::*;

#[task]
fn name() -> &'static str {
    "Ada"
}

#[task]
fn names() -> Result<Vec<&'static str>> {
    Ok(vec!["Ada"])
}

fn main() {}
