use taskflow::prelude::*;

#[dag]
fn example((a, b): (u32, u32), _: u8) {
    let _ = (a, b);
}

fn main() {}
