use taskflow::prelude::*;

#[task]
struct Flight {
    carrier: String,
}

fn main() {}
