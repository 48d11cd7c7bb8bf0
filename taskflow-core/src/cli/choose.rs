//! The DAGs of the binary, and the choice of one.

use clap::ArgMatches;

use super::error::CliError;
use super::format;
use crate::base::nearest;
use crate::dag::{DagDef, Registry};

/// The DAGs of the binary, sorted by id.
#[derive(Debug)]
pub(super) struct Dags(Vec<&'static DagDef>);

impl Dags {
    pub(super) fn of_binary() -> Self {
        Dags(Registry::dags())
    }

    pub(super) fn all(&self) -> &[&'static DagDef] {
        &self.0
    }

    /// Every id once, with one of the DAGs that have it.
    pub(super) fn by_id(&self) -> impl Iterator<Item = &'static DagDef> {
        self.0.chunk_by(|a, b| a.id == b.id).map(|same| same[0])
    }

    /// Whether the name of the DAG may be omitted.
    pub(super) fn has_one(&self) -> bool {
        self.0.len() == 1
    }

    /// The DAG of this name; without a name, the only one.
    pub(super) fn find(&self, name: Option<&str>) -> Result<&'static DagDef, CliError> {
        let Some(name) = name else {
            return match &*self.0 {
                [] => Err(CliError::usage(NOTHING_LINKED)),
                [only] => Ok(only),
                _ => Err(CliError::usage(format!("name one of the DAGs: {}", format::some(&self.ids(), 20)))),
            };
        };
        let named: Vec<_> = self.0.iter().filter(|dag| dag.id == name).collect();
        match &*named {
            [dag] => Ok(dag),
            [] => Err(CliError::usage(self.unknown(name))),
            several => {
                let places: Vec<String> = several.iter().map(|dag| dag.location.to_string()).collect();
                Err(CliError::usage(format!(
                    "{} DAGs have the id `{name}`, at {}; rename all but one",
                    several.len(),
                    places.join(" and ")
                )))
            }
        }
    }

    /// The DAG of a verb that takes its parameters as flags, with the arguments of the DAG. With
    /// several DAGs, the name is a subcommand; with one, it is an optional argument.
    pub(super) fn of<'a>(&self, matches: &'a ArgMatches) -> Result<(&'static DagDef, &'a ArgMatches), CliError> {
        let (name, matches) = match matches.subcommand() {
            Some((name, matches)) => (Some(name), matches),
            None if self.has_one() => (matches.get_one::<String>("dag").map(String::as_str), matches),
            None => (None, matches),
        };
        Ok((self.find(name)?, matches))
    }

    fn unknown(&self, name: &str) -> String {
        let ids = self.ids();
        match nearest(name, ids.iter().copied()) {
            _ if ids.is_empty() => NOTHING_LINKED.to_owned(),
            Some(near) => format!("there is no DAG `{name}`; did you mean `{near}`?"),
            None => format!("there is no DAG `{name}`; the DAGs are {}", format::some(&ids, 20)),
        }
    }

    fn ids(&self) -> Vec<&'static str> {
        self.by_id().map(|dag| dag.id).collect()
    }
}

/// What to do when there is no DAG.
pub(super) const NOTHING_LINKED: &str = "\
this binary contains no DAG
  write a function with `#[dag]` and compile it into the binary: is its file declared with `mod`?
  the linker leaves out a library crate that `main` does not name; name one of its DAGs:
      taskflow::main!(my_dags::daily);";
