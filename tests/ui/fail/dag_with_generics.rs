use taskflow::prelude::*;

#[dag]
fn example<T>(x: T, y: impl Clone, z: _) -> Option<impl Clone> {
    x
}

fn main() {}
