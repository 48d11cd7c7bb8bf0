use taskflow::prelude::*;

struct Reader {
    path: String,
}

impl Reader {
    #[task]
    fn read(&self, day: u32) -> usize {
        self.path.len() + day as usize
    }
}

fn main() {}
