//! Keywords as names lose their `r#`.
use taskflow::prelude::*;

#[task]
fn r#match(r#type: String, mut r#loop: u32, _unused: u8) -> u32 {
    r#loop += r#type.len() as u32;
    r#loop
}

#[dag]
fn r#move(r#async: u32) -> u32 {
    r#match("x", r#async, 0)
}

fn main() {
    assert_eq!(r#match::def().id, "match");
    let names: Vec<_> = r#match::def().inputs.iter().map(|input| input.name).collect();
    assert_eq!(names, ["type", "loop", "_unused"]);
    assert_eq!(r#move::def().id, "move");
    assert_eq!((r#move::def().params)()[0].name, "async");
    r#move::def().plan().unwrap();
}
