use taskflow::prelude::*;

struct Reader {
    path: String,
}

impl Reader {
    #[task]
    fn read(&self, day: u32) -> usize {
        self.path.len() + day as usize
    }

    #[task]
    fn open(path: &str) -> Self {
        Reader { path: path.to_owned() }
    }
}

fn main() {}
