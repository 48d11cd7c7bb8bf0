use taskflow::prelude::*;

#[sensor(poke_interval = "1m")]
fn found() -> bool {
    true
}

#[sensor]
fn nothing() {}

#[sensor]
fn plain() -> Result<String> {
    Ok(String::new())
}

#[sensor]
async fn alias() -> std::io::Result<u32> {
    Ok(1)
}

fn main() {}
