use taskflow::prelude::*;

#[task]
const fn one() -> u32 {
    1
}

#[task]
unsafe fn two() -> u32 {
    2
}

#[task]
extern "C" fn three() -> u32 {
    3
}

#[dag]
fn example() -> u32 {
    one();
    two();
    three()
}

fn main() {}
