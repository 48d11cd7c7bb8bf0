use taskflow::prelude::*;

#[task]
fn number() -> u32 {
    3
}

#[dag]
async fn example() -> u32 {
    number()
}

pub async fn use_it() {
    let _ = example::run();
}

fn main() {}
