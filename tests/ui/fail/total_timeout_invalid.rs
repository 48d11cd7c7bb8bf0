use taskflow::prelude::*;

#[task(total_timeout = 0)]
fn no_time() {}

#[task(total_timeout = "soon")]
fn no_duration() {}

#[task(timeout = "2h", total_timeout = "1h")]
fn shorter_than_an_attempt() {}

#[task(schedule_to_close_timeout = "1h")]
fn of_another_system() {}

#[sensor(total_timeout = "1h")]
fn a_sensor_has_its_timeout() -> Option<u32> {
    None
}

#[dag(total_timeout = "1h")]
fn a_run_has_its_timeout() {}

fn main() {}
