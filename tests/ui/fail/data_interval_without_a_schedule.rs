//! The data interval is asked for by DAGs that have none.
use taskflow::prelude::*;

#[task]
fn read(day: Date) -> i16 {
    day.year()
}

#[dag]
fn by_hand(#[param(default = |run| run.data_interval().start_date())] day: Date) -> i16 {
    read(day)
}

#[dag(schedule = "@once")]
fn once(#[param(default = |run| run.data_interval().end_date())] day: Date) -> i16 {
    read(day)
}

fn main() {}
