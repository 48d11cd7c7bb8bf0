//! A condition is an output, and both sides give one type.

use taskflow::prelude::*;

#[task]
fn check() -> bool {
    true
}

#[task]
fn number() -> u32 {
    1
}

#[task]
fn word() -> String {
    String::new()
}

#[dag]
fn plain() -> u32 {
    when(true, || number()).otherwise(|| number())
}

#[dag]
fn of_two_types() -> u32 {
    when(check(), || number()).otherwise(|| word())
}

#[dag]
fn number_as_condition() {
    only_if(number(), || word());
}

#[dag]
fn half() -> u32 {
    when(check(), || number())
}

fn main() {}
