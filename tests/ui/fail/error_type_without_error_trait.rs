use taskflow::prelude::*;

struct Oops;

#[task]
fn plain() -> Result<u32, Oops> {
    Err(Oops)
}

#[task]
async fn number() -> std::result::Result<u32, i32> {
    Err(1)
}

fn main() {}
