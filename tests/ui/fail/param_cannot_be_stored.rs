use taskflow::prelude::*;

#[derive(Clone)]
struct Connection;

#[dag]
fn example(connection: Connection) {
    let _ = connection;
}

fn main() {}
