//! `T` and `&T` take an output, a value, a literal.
use taskflow::prelude::*;

#[task]
fn number() -> u32 {
    3
}

#[task]
fn by_value(x: u32) -> u32 {
    x
}

#[task]
fn by_reference(x: &u32, y: &f64) -> u32 {
    *x + *y as u32
}

#[task]
fn byte(x: u8, y: i64, yes: bool, letter: char) -> u8 {
    let _ = (y, yes, letter);
    x
}

#[dag]
fn example(limit: u32) -> u32 {
    let n = number();
    let a = by_value(n);
    by_value(7);
    by_value(limit);
    by_value(7u32 + 1);
    by_reference(a, 2.5);
    by_reference(9, 1.0);
    byte(200, -1, true, 'x');
    by_reference(n, 0.5)
}

fn main() {
    assert_eq!(example::def().plan().unwrap().len(), 9);
}
