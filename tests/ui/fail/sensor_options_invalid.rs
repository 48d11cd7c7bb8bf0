use taskflow::prelude::*;

#[sensor(poke_interval = "10m", timeout = "5m")]
fn short() -> Option<u32> {
    None
}

#[sensor(mode = "reschedule", interval = "5s")]
fn airflow() -> Option<u32> {
    None
}

#[sensor(deferrable)]
fn both() -> Option<u32> {
    None
}

#[task(poke_interval = "5s")]
fn no_sensor() {}

#[task]
#[sensor]
fn twice() -> Option<u32> {
    None
}

fn main() {}
