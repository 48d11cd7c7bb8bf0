//! Whatever converts into a boxed error may be the error of a task; a `Result` may be an alias.
use taskflow::config::ConfigError;
use taskflow::dag;
use taskflow::task;
use taskflow::tasks::{Interrupt, TaskContext};

#[derive(Debug, thiserror::Error)]
enum MyError {
    #[error("no file")]
    Io(#[from] std::io::Error),
}

type Result<T, E = MyError> = std::result::Result<T, E>;

mod alias {
    pub(crate) type Result = std::result::Result<u32, String>;
}

#[task]
fn own() -> Result<u32> {
    Ok(std::fs::read("/nonexistent")?.len() as u32)
}

#[task]
fn io() -> std::io::Result<u32> {
    Ok(1)
}

#[task]
fn any() -> anyhow::Result<u32> {
    anyhow::bail!("no")
}

#[task]
fn text() -> Result<u32, String> {
    Err("no".to_owned())
}

#[task]
fn literal() -> std::result::Result<u32, &'static str> {
    Err("no")
}

#[task]
async fn boxed() -> Result<u32, Box<dyn std::error::Error + Send + Sync>> {
    Ok("12".parse::<u32>()?)
}

#[task]
async fn ours() -> taskflow::Result<u32> {
    Ok("12".parse::<u32>()?)
}

#[task]
fn hidden() -> alias::Result {
    Ok(1)
}

#[task]
fn unit() -> taskflow::Result<()> {
    Ok(())
}

#[task]
fn never_fails() -> Result<u32, std::convert::Infallible> {
    Ok(1)
}

/// An error of one's own, for everything that a context may answer with.
#[derive(Debug, thiserror::Error)]
enum LoadError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Interrupt(#[from] Interrupt),
    #[error("there is no page {0}")]
    NoPage(u32),
}

#[task]
fn load(page: u32, ctx: &TaskContext) -> Result<u32, LoadError> {
    match page {
        0 => Err(ctx.skip("nothing has landed"))?,
        1 => Err(ctx.fail("a retry will not help"))?,
        2 => Err(ctx.skip_with(LoadError::NoPage(page))),
        3 => Err(LoadError::NoPage(page)),
        _ => Ok(ctx.connection("dwh")?.host().map_or(0, |host| host.len() as u32)),
    }
}

#[task]
fn add(all: &[u32]) -> u32 {
    all.iter().sum()
}

#[dag]
fn example() -> u32 {
    unit();
    add([own(), io(), any(), text(), literal(), boxed(), ours(), hidden(), never_fails(), load(4)])
}

fn main() {
    assert_eq!(hidden::def().output.short(), "u32");
    assert_eq!(unit::def().output.short(), "()");
    example::def().plan().unwrap();
    assert!(own::call().is_err());
}
