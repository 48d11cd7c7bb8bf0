use taskflow::prelude::*;

#[dag(schedule = "* * * *")]
fn four() {}

#[dag(schedule = "0 0 6 * * *")]
fn six() {}

#[dag(schedule = "*/90 * * * *")]
fn every_90_minutes() {}

#[dag(schedule = "0 6 30 2 *")]
fn thirtieth_of_february() {}

#[dag(schedule = "0 25 * * *")]
fn at_25() {}

#[dag(schedule = "0 6 * * MONDAY")]
fn long_name() {}

#[dag(schedule = "")]
fn empty() {}

#[dag(schedule = "every day")]
fn words() {}

#[dag(schedule = "0 18-6 * * *")]
fn backwards() {}

fn main() {}
