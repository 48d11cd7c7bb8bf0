use taskflow::asset::Day;
use taskflow::prelude::*;
use taskflow::watch;

taskflow::asset! {
    NUMBERS: Asset<u64> = "numbers";
    BY_DAY: Asset<watch::FileLanded, Day> = "by-day";
}

taskflow::watch!(NUMBERS = watch::files("landing/*.csv"));
taskflow::watch!(BY_DAY = watch::files("landing/*.csv"));

fn main() {}
