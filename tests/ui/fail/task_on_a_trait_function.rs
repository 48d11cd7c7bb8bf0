use taskflow::prelude::*;

trait Reader {
    #[task]
    fn read(path: &str) -> u32;
}

fn main() {}
