use taskflow::prelude::*;

#[task(blocking)]
async fn fetch() -> u32 {
    1
}

fn main() {}
