//! The attributes work on what a macro writes.
use taskflow::prelude::*;

macro_rules! tasks {
    ($($(#[$meta:meta])* $vis:vis $name:ident($x:ident: $ty:ty) -> $out:ty $body:block retries $retries:expr, delay $delay:literal;)*) => {
        $(
            $(#[$meta])*
            #[task(retries = $retries, retry_delay = $delay)]
            $vis fn $name($x: $ty, _borrowed: &$ty) -> $out $body
        )*
    };
}

tasks! {
    /// Documented.
    plus_one(x: u32) -> u32 { x + 1 } retries 3, delay "5s";
    length(x: Vec<u32>) -> Result<usize> { Ok(x.len()) } retries 2, delay "1m";
}

macro_rules! dag_of {
    ($name:ident, $ty:ty, $default:expr) => {
        #[dag(schedule = "@daily")]
        fn $name(#[param(default = $default)] x: $ty) -> u32 {
            plus_one(x, 1)
        }
    };
}

dag_of!(example, u32, 1 + 1);

fn main() {
    assert_eq!(plus_one::def().doc, "Documented.");
    assert_eq!(plus_one::def().options.retries, Some(3));
    assert_eq!(length::def().inputs[0].ty.short(), "Vec<u32>");
    example::def().plan().unwrap();
}
