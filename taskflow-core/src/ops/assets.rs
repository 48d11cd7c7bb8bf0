//! The assets of the program.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::error::OpsError;
use super::events::EventDocument;
use crate::asset::{AssetDef, Assets, of_dag};
use crate::base::nearest;
use crate::base::schema::Schema;
use crate::dag::{DagDef, Registry};
use crate::journal::Journal;
use crate::store::EventFilter;

/// An asset of the program, as JSON documents have it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Schema)]
#[non_exhaustive]
pub struct AssetDocument {
    /// The name.
    pub name: String,
    /// The doc comment.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub doc: String,
    /// The type of the payload, without modules.
    #[serde(rename = "type")]
    pub ty: String,
    /// The name of the type of its partitions, such as `day`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub partition: Option<String>,
    /// The tasks whose values are events of it (`produces`), as `dag.task`. Tasks that emit events
    /// in their bodies are not known.
    pub producers: Vec<String>,
    /// The last event, without its payload.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last: Option<EventDocument>,
}

/// The assets that the program declares, by name; then the results of its DAGs that have been
/// events. `journal` knows the last events.
///
/// # Errors
///
/// When the store cannot be read.
pub async fn assets(journal: Option<&Journal>) -> Result<Vec<AssetDocument>, OpsError> {
    let mut declared = Assets::all();
    declared.dedup_by_key(|asset| asset.name);
    let mut producers = producers();
    let mut documents = Vec::new();
    for asset in declared {
        let producers = producers.remove(asset.name).unwrap_or_default();
        documents.push(declared_asset(&asset, producers, last(journal, asset.name).await?));
    }
    for dag in results() {
        let Some(last) = last(journal, &of_dag(dag.id)).await? else { continue };
        documents.push(result_asset(dag, Some(last)));
    }
    Ok(documents)
}

/// The asset with this name: one that the program declares, or the result of one of its DAGs.
///
/// # Errors
///
/// When there is no such asset, or the store cannot be read.
pub async fn asset(journal: &Journal, name: &str) -> Result<AssetDocument, OpsError> {
    let known = find_any(name)?;
    let last = last(Some(journal), name).await?;
    Ok(match known {
        Found::Declared(asset) => declared_asset(&asset, producers().remove(name).unwrap_or_default(), last),
        Found::Result(dag) => result_asset(dag, last),
    })
}

fn declared_asset(asset: &AssetDef, producers: Vec<String>, last: Option<EventDocument>) -> AssetDocument {
    AssetDocument {
        name: asset.name.to_owned(),
        doc: asset.doc.to_owned(),
        ty: asset.ty.short(),
        partition: asset.partition.map(str::to_owned),
        producers,
        last,
    }
}

/// The result of a DAG, which is an asset.
fn result_asset(dag: &DagDef, last: Option<EventDocument>) -> AssetDocument {
    AssetDocument {
        name: of_dag(dag.id),
        doc: dag.doc.to_owned(),
        ty: dag.result.short(),
        partition: None,
        producers: vec![dag.id.to_owned()],
        last,
    }
}

/// The tasks with `produces`, by asset.
fn producers() -> BTreeMap<&'static str, Vec<String>> {
    let mut producers: BTreeMap<&'static str, Vec<String>> = BTreeMap::new();
    for dag in Registry::dags() {
        // `show` reports the mistakes of a graph.
        let Ok(plan) = dag.plan() else { continue };
        for node in plan.node_indices() {
            if let Some(production) = &plan.def(node).produces {
                producers.entry(production.asset.name).or_default().push(format!(
                    "{}.{}",
                    dag.id,
                    plan.node(node).id()
                ));
            }
        }
    }
    producers
}

/// The DAGs that an asset belongs to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct AssetDags {
    /// Those with a task whose values are events of it, or whose results are.
    pub producers: BTreeSet<&'static str>,
    /// Those whose runs its events start.
    pub consumers: BTreeSet<&'static str>,
}

/// The DAGs of the program by the assets that they produce and consume.
pub fn dags_of_assets() -> BTreeMap<String, AssetDags> {
    let mut all: BTreeMap<String, AssetDags> = BTreeMap::new();
    for dag in results() {
        all.entry(of_dag(dag.id)).or_default().producers.insert(dag.id);
        // `show` reports the mistakes of a graph.
        if let Ok(plan) = dag.plan() {
            let produced = plan.node_indices().filter_map(|node| plan.def(node).produces.as_ref());
            for production in produced {
                all.entry(production.asset.name.to_owned()).or_default().producers.insert(dag.id);
            }
        }
        if let Ok(Some(consumer)) = dag.consumer() {
            for asset in consumer.assets() {
                all.entry(asset).or_default().consumers.insert(dag.id);
            }
        }
    }
    all
}

/// The DAGs of the program, each once.
fn results() -> Vec<&'static DagDef> {
    let mut dags = Registry::dags();
    dags.dedup_by_key(|dag| dag.id);
    dags
}

async fn last(journal: Option<&Journal>, asset: &str) -> Result<Option<EventDocument>, OpsError> {
    let Some(journal) = journal else { return Ok(None) };
    let filter =
        EventFilter { assets: vec![asset.to_owned()], newest_first: true, limit: Some(1), ..EventFilter::default() };
    Ok(journal.event_rows(&filter).await?.into_iter().next().map(|row| EventDocument::of(row, false)))
}

/// What is known of an asset of the program.
pub(super) struct KnownAsset {
    pub(super) ty: crate::value::TypeInfo,
    pub(super) partition: Option<&'static str>,
}

/// The asset with this name, which may be the result of a DAG.
pub(super) fn find(name: &str) -> Result<KnownAsset, OpsError> {
    Ok(match find_any(name)? {
        Found::Declared(AssetDef { ty, partition, .. }) => KnownAsset { ty, partition },
        Found::Result(dag) => KnownAsset { ty: dag.result, partition: None },
    })
}

/// Where an asset comes from.
enum Found {
    Declared(AssetDef),
    Result(&'static DagDef),
}

fn find_any(name: &str) -> Result<Found, OpsError> {
    if let Some(asset) = Assets::find(name) {
        return Ok(Found::Declared(asset));
    }
    let dags = results();
    if let Some(dag) = dags.iter().find(|dag| of_dag(dag.id) == name) {
        return Ok(Found::Result(dag));
    }
    let mut known: Vec<String> = Assets::all().iter().map(|asset| asset.name.to_owned()).collect();
    known.extend(dags.iter().map(|dag| of_dag(dag.id)));
    let nearest = nearest(name, known.iter().map(String::as_str)).map(str::to_owned);
    Err(OpsError::UnknownAsset { asset: name.to_owned(), nearest })
}
