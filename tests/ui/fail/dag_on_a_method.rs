use taskflow::prelude::*;

struct Flows;

impl Flows {
    #[dag]
    fn daily(&self) {}
}

fn main() {}
