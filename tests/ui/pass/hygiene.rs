//! Names of the user that could meet those of generated code.
#![allow(dead_code, unused)]

mod std {}
mod core {}
mod serde {}
mod inventory {}
struct Vec;
struct String;
struct Box;
struct Some;
struct None;
struct Ok;
enum Option {}
enum Body {}
struct TaskDef;
trait IntoArg {}
trait Sized {}
const DEF: u8 = 1;
static __DEF: u8 = 2;
fn body() -> u8 {
    3
}
fn add_task() {}
macro_rules! vec {
    () => {
        compile_error!("the user's macro")
    };
}
macro_rules! concat {
    () => {
        compile_error!("the user's macro")
    };
}

type Result<T> = ::std::result::Result<T, ::std::string::String>;

#[::taskflow::task(retries = 1, tags = ["x"])]
async fn first(inputs: u8, context: u8, options: &u8, __inputs: u8, ctx: &::taskflow::TaskContext) -> Result<u8> {
    ::std::result::Result::Ok(inputs + context + options + DEF + __DEF + body() + __inputs)
}

#[::taskflow::task(blocking)]
fn second(first: u8, second: &[u8], def: &str, call: u8) {}

#[::taskflow::dag(schedule = "@once", default(retries = 1))]
fn third(
    #[param(default = 1, range = 0..4)] third: u8,
    #[param(default = "x")] def: ::std::string::String,
    #[param(default = |def| 4)] __inputs: u8,
) -> u8 {
    let x = first(third, body(), 3, __inputs);
    second(x, ::std::vec![DEF], def, 4);
    x
}

fn main() {
    ::std::assert!(third::def().plan().is_ok());
}
