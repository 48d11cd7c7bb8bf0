//! What can be taken out of a value is told by its type.

use taskflow::prelude::*;

struct Connection;

#[task]
fn rows() -> Vec<u32> {
    vec![]
}

#[task]
fn number(n: u32) -> u32 {
    n
}

#[dag]
fn get_of_a_list() -> u32 {
    number(rows().get("a"))
}

#[dag]
fn unzip_of_a_list() {
    let (a, b) = rows().unzip();
}

#[dag]
fn to_what_cannot_be_stored() {
    let connection = rows().map(|_| Connection);
}

#[dag]
fn to_another_type() -> u32 {
    number(rows().map(|rows| rows.len()))
}

#[dag]
fn borrowed() {
    let first = rows().map(|rows| &rows[0]);
}

fn main() {}
