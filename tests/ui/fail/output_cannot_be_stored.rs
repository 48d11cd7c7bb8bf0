use taskflow::prelude::*;

#[derive(Clone)]
struct Connection {
    url: String,
}

#[task]
fn connect() -> Connection {
    Connection { url: String::new() }
}

#[task]
async fn pool() -> Result<Vec<Connection>> {
    Ok(vec![])
}

fn main() {}
