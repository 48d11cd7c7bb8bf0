//! Functions whose result is a tuple or a list.

use taskflow::prelude::*;

#[task]
fn number() -> u32 {
    3
}

#[task]
fn numbers() -> Vec<u32> {
    vec![3]
}

#[dag]
fn too_few() -> (u32, u32, u32) {
    (number(), number())
}

#[dag]
fn another_type() -> (u32, String) {
    (number(), number())
}

#[dag]
fn not_an_output() -> Vec<u32> {
    number()
}

#[dag]
fn one_element() -> Vec<String> {
    numbers().each(|n| n)
}

fn main() {}
