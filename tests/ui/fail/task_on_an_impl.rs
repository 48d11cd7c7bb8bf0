use taskflow::prelude::*;

struct Reader;

#[task]
impl Reader {
    fn read(&self) -> u32 {
        1
    }
}

fn main() {}
