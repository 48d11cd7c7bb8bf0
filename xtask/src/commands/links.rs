//! `cargo xtask links`: checks that the links in the Markdown files lead somewhere.

use crate::failure::Failure;
use crate::links;
use crate::workspace;

pub(crate) fn run() -> Result<(), Failure> {
    let broken = links::broken(&workspace::root());
    let broken = broken.map_err(|error| Failure::new(format!("\nerror: a document cannot be read: {error}")))?;
    if broken.is_empty() {
        return Ok(());
    }
    Err(Failure::new(format!("\nerror: {}", broken.join("\nerror: "))))
}

#[cfg(test)]
mod tests {
    use super::run;

    #[test]
    fn the_links_of_the_documents_lead_somewhere() {
        if let Err(failure) = run() {
            panic!("{failure}");
        }
    }
}
