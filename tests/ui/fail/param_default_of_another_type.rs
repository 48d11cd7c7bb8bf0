use taskflow::prelude::*;

struct Odd;

#[dag]
fn example(
    #[param(default = 15)] name: String,
    #[param(default = Odd)] count: u32,
    #[param(default = |run| run.run_id)] day: Date,
    #[param(default = |run| run.date())] other: Date,
    #[param(default = -1)] positive: u8,
) {
    let _ = (name, count, day, other, positive);
}

fn main() {}
