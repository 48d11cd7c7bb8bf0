use taskflow::prelude::*;

#[derive(Clone)]
struct Connection {
    url: String,
}

#[task]
fn by_value(connection: Connection) -> usize {
    connection.url.len()
}

#[task]
fn by_reference(connection: &Connection, all: &[Connection]) -> usize {
    connection.url.len() + all.len()
}

fn main() {}
