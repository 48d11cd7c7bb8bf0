//! A DAG of the program as a document.

use serde::Serialize;

use super::dags::{DagStatus, dags};
use super::error::OpsError;
use crate::base::schema::Schema;
use crate::dag::{BuildError, DagDef, ParamDef, ParamDefault};
use crate::journal::Journal;

/// A DAG with its schedule, parameters and tasks, as JSON documents have it.
#[derive(Clone, Debug, PartialEq, Serialize, Schema)]
#[non_exhaustive]
pub struct DagDocument {
    /// Its tags, its schedule and its last run.
    #[serde(flatten)]
    pub status: DagStatus,
    /// The doc comment.
    pub description: &'static str,
    /// The structural hash of its graph; none if the graph has mistakes.
    pub version: Option<String>,
    /// The ids of its tasks, in the order of the graph.
    pub tasks: Vec<String>,
    /// Its parameters.
    pub params: Vec<ParamDocument>,
    /// The mistakes of its graph.
    pub errors: Vec<String>,
}

/// A parameter of a DAG, as JSON documents have it.
#[derive(Clone, Debug, PartialEq, Serialize, Schema)]
#[non_exhaustive]
pub struct ParamDocument {
    /// The name.
    pub name: &'static str,
    /// The type, without modules.
    #[serde(rename = "type")]
    pub ty: String,
    /// What it is for.
    pub help: &'static str,
    /// Whether a run needs a value.
    pub required: bool,
    /// The default, if it is the same for every run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<serde_json::Value>,
    /// The expression that takes the default from the run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_from_run: Option<String>,
    /// The values allowed, as text.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub choices: &'static [&'static str],
    /// The range allowed, as it is written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub range: Option<&'static str>,
    /// The regular expression that its text must match.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pattern: Option<&'static str>,
    /// The asset whose events it takes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asset: Option<String>,
}

/// A DAG of the program, with what the store knows of it.
///
/// # Errors
///
/// When the store cannot be read.
pub async fn dag(journal: Option<&Journal>, dag: &'static DagDef) -> Result<DagDocument, OpsError> {
    let mut all = dags(journal, &[dag]).await?;
    // The DAGs that were asked for come first.
    let status = all.swap_remove(0);
    let plan = dag.plan();
    let errors = match &plan {
        Ok(_) => Vec::new(),
        Err(errors) => errors.errors().iter().map(BuildError::to_string).collect(),
    };
    let plan = plan.ok();
    let tasks = plan.iter().flat_map(|plan| plan.node_indices().map(|node| plan.node(node).id().to_owned()));
    Ok(DagDocument {
        status,
        description: dag.doc,
        version: plan.as_ref().map(|plan| plan.hash().to_owned()),
        tasks: tasks.collect(),
        params: (dag.params)().iter().map(ParamDocument::of).collect(),
        errors,
    })
}

impl ParamDocument {
    fn of(param: &ParamDef) -> Self {
        let (default, default_from_run) = match param.default_view() {
            Some(ParamDefault::Value(value)) => (Some(value), None),
            Some(ParamDefault::FromRun(expression)) => (None, Some(expression.to_owned())),
            None => (None, None),
        };
        ParamDocument {
            name: param.name,
            ty: param.ty.short(),
            help: param.help,
            required: !param.has_default(),
            default,
            default_from_run,
            choices: param.choices,
            range: param.range_text,
            pattern: param.pattern,
            asset: param.event.as_ref().map(|event| event.asset.clone()),
        }
    }
}
