use taskflow::prelude::*;

struct Reader;

impl Reader {
    #[task]
    fn read(day: u32) -> u32 {
        day
    }
}

fn main() {}
