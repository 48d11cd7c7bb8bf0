//! E1: `&Path` and `&OsStr` as parameters gave 29 errors. `&[T]` is fed like `Vec<T>`, `&str` like
//! `String`, `&Path` like `PathBuf` and `&OsStr` like `OsString`.
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use taskflow::prelude::*;

#[task]
fn numbers() -> Vec<u32> {
    vec![1, 2]
}

#[task]
fn number() -> u32 {
    3
}

#[task]
fn name() -> String {
    "Ada".to_owned()
}

#[task]
fn total(numbers: &[u32]) -> u32 {
    numbers.iter().sum()
}

#[task]
fn owned(numbers: Vec<u32>, label: String) -> u32 {
    let _ = label;
    numbers.into_iter().sum()
}

#[task]
fn greet(name: &str) -> String {
    format!("hello {name}")
}

#[task]
fn whole(numbers: &Vec<u32>, name: &String) -> usize {
    numbers.len() + name.len()
}

#[task]
fn file() -> PathBuf {
    PathBuf::from("in.csv")
}

#[task]
fn os_name() -> OsString {
    OsString::from("in.csv")
}

#[task]
fn extension(file: &Path, name: &std::ffi::OsStr) -> String {
    format!("{:?} {:?}", file.extension(), name)
}

#[task]
async fn length(file: &std::path::Path, name: &OsStr) -> usize {
    file.as_os_str().len() + name.len()
}

mod shapes {
    #[derive(serde::Serialize, serde::Deserialize)]
    pub struct Path {
        pub points: u32,
    }
}

#[task]
fn shape() -> shapes::Path {
    shapes::Path { points: 3 }
}

#[task]
fn points(path: &shapes::Path) -> u32 {
    path.points
}

#[dag]
fn paths(file_param: PathBuf) -> u32 {
    extension(file(), os_name());
    extension(file_param, "name");
    extension("in.csv", OsStr::new("name"));
    length(Path::new("in.csv"), OsString::from("name"));
    points(shape())
}

#[dag]
fn example(who: String) -> u32 {
    greet(name());
    greet("Grace");
    greet(String::from("Edsger"));
    greet(who);
    owned(numbers(), "label");
    owned(vec![1, 2, 3], name());
    whole(numbers(), "literal");
    total(vec![1u32]);
    total([number(), number()]);
    total(numbers())
}

fn main() {
    example::def().plan().unwrap();
    paths::def().plan().unwrap();
    assert_eq!(extension::call(Path::new("a.csv"), OsStr::new("b")), r#"Some("csv") "b""#);
    assert_eq!(total::call(&[1, 2, 3]), 6);
    assert_eq!(greet::call("Ada"), "hello Ada");
}
