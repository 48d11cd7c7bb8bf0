//! An asset without its types.

use crate::base::SourceLocation;
use crate::value::TypeInfo;

/// The beginning of the names of the assets that are results of DAGs.
const DAG: &str = "dag:";

/// The definition of an asset.
#[derive(Clone, Copy, Debug)]
pub struct AssetDef {
    /// The name, under which its events are stored.
    pub name: &'static str,
    /// The doc comment; empty without one.
    pub doc: &'static str,
    /// The type of the payload of its events.
    pub ty: TypeInfo,
    /// The name of the type of its partitions, such as `day`; `None` for an asset without.
    pub partition: Option<&'static str>,
    /// Where it is declared.
    pub location: SourceLocation,
}

/// The name of the asset that is the result of a DAG.
pub(crate) fn of_dag(dag: &str) -> String {
    format!("{DAG}{dag}")
}

/// The DAG whose result is the asset with this name.
#[cfg(any(feature = "server", all(feature = "cli", feature = "sqlite")))]
pub(crate) fn dag_of(asset: &str) -> Option<&str> {
    asset.strip_prefix(DAG)
}
