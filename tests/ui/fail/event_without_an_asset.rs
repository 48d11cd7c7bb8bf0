use taskflow::prelude::*;

#[task]
fn number() -> u32 {
    3
}

#[dag]
fn without(rates: Events<f64>, last: Option<Latest<f64>>) -> u32 {
    let _ = (rates, last);
    number()
}

fn main() {}
