//! A plan as plain data: what every picture is drawn from.
//!
//! Names stand in place of indices and options are left out where they are the defaults, so that
//! the data reads as the source did. It borrows from the plan: the view of a graph of 100,000 nodes
//! copies no text and no constant.

mod build;
mod options;

use serde::{Serialize, Serializer};

use crate::base::schema::Schema;
use crate::dag::ParamDefault;
use crate::task::TriggerRule;

pub use self::options::OptionList;

/// A [`Plan`](crate::dag::Plan) ready to be drawn. As JSON it is `taskflow show --format json`.
#[derive(Clone, Debug, Serialize, Schema)]
#[schema(name = "DagGraph")]
#[non_exhaustive]
pub struct View<'p> {
    /// The id of the DAG.
    pub dag_id: &'p str,
    /// The doc comment of the DAG.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub doc: &'p str,
    /// The structural hash.
    pub hash: &'p str,
    /// Where the DAG is written: `file:line:column`.
    pub location: String,
    /// The options that are set.
    #[serde(skip_serializing_if = "OptionList::is_empty")]
    pub options: OptionList,
    /// The parameters of the DAG, in order.
    pub params: Vec<ParamView<'p>>,
    /// The groups, outer ones before inner ones.
    pub groups: Vec<GroupView<'p>>,
    /// What pictures draw a box around: groups, and what the closures of `each`, scopes and arms
    /// of branches draw. Outer ones before inner ones.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub clusters: Vec<ClusterView<'p>>,
    /// The nodes, in the order of the calls.
    pub nodes: Vec<NodeView<'p>>,
    /// Each edge once, sorted by where it ends, then by where it begins.
    pub edges: Vec<EdgeView<'p>>,
    /// The result of a run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<ResultView<'p>>,
}

/// A node, a parameter or a group by name; the index is its place in the list of the view, and is
/// not serialised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ref<'p> {
    /// Its place in [`View::nodes`], [`View::params`] or [`View::groups`].
    pub index: u32,
    /// Its name.
    pub id: &'p str,
}

#[cfg(feature = "server")]
impl Schema for Ref<'_> {
    fn shape() -> crate::base::schema::Shape {
        crate::base::schema::Shape::Text
    }
}

impl Serialize for Ref<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.id)
    }
}

/// Where an edge begins. As JSON `{"task": "extract"}` or `{"param": "day"}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Schema)]
#[serde(rename_all = "snake_case")]
pub enum Endpoint<'p> {
    /// At a parameter of the DAG.
    Param(Ref<'p>),
    /// At a node.
    Task(Ref<'p>),
}

/// A parameter of the DAG.
#[derive(Clone, Debug, Serialize, Schema)]
#[non_exhaustive]
pub struct ParamView<'p> {
    /// Its name.
    pub name: &'p str,
    /// Its type, without modules.
    #[serde(rename = "type")]
    pub ty: String,
    /// Whether a run needs a value for it.
    pub required: bool,
    /// The value of the default, if it is the same for every run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<serde_json::Value>,
    /// The expression that takes the default from the run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_from_run: Option<&'p str>,
    /// The allowed range as it is written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub range: Option<&'p str>,
    /// The only values allowed.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub choices: &'p [&'p str],
    /// The regular expression its text must match.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pattern: Option<&'p str>,
    /// What it is for.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub help: &'p str,
}

impl ParamView<'_> {
    /// The default as text: its value, or the expression that takes it from the run.
    pub fn default_text(&self) -> Option<String> {
        let value = self.default.clone().map(ParamDefault::Value);
        value.or_else(|| self.default_from_run.map(ParamDefault::FromRun)).map(|default| default.to_string())
    }
}

/// A box around nodes.
#[derive(Clone, Copy, Debug, Serialize, Schema)]
#[non_exhaustive]
pub struct GroupView<'p> {
    /// Its full name.
    pub id: &'p str,
    /// Its name inside the box around it.
    pub label: &'p str,
    /// The box around it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent: Option<Ref<'p>>,
}

/// A part of the graph that pictures draw a box around.
#[derive(Clone, Debug, Serialize, Schema)]
#[non_exhaustive]
pub struct ClusterView<'p> {
    /// What drew it.
    pub kind: ClusterKind,
    /// The full name of the group, or the id of a node: the list of an `each`, the setup of a
    /// scope, or the node of an arm. Two clusters may have the same one: the parts of an `each`
    /// that is continued in a group.
    pub of: &'p str,
    /// The name that pictures show.
    pub label: String,
    /// The cluster around it: an index into [`View::clusters`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent: Option<u32>,
}

/// What drew a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Schema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ClusterKind {
    /// A group.
    Group,
    /// An `each`: a run has what is inside once for each element.
    Each,
    /// A scope: the setup, the work and the teardown.
    Scope,
    /// An arm of a branch.
    Arm,
}

impl ClusterKind {
    /// `group`, `each`, `scope` or `arm`.
    pub const fn name(self) -> &'static str {
        match self {
            ClusterKind::Group => "group",
            ClusterKind::Each => "each",
            ClusterKind::Scope => "scope",
            ClusterKind::Arm => "arm",
        }
    }
}

/// A node.
#[derive(Clone, Debug, Serialize, Schema)]
#[non_exhaustive]
pub struct NodeView<'p> {
    /// Its id.
    pub id: &'p str,
    /// Its id inside its group: what a picture writes into the node.
    pub label: &'p str,
    /// The task it calls.
    pub task: &'p str,
    /// Whether taskflow brings the task along: those that a branch is made of.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub built_in: bool,
    /// `sync`, `blocking` or `async`.
    pub kind: &'static str,
    /// The group it is in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<Ref<'p>>,
    /// The node with the list for whose elements it is there, once for each.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub each: Option<Ref<'p>>,
    /// The innermost cluster that it is in: an index into [`View::clusters`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster: Option<u32>,
    /// The doc comment of the task.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub description: &'p str,
    /// The type of its value, without modules.
    pub output: String,
    /// The options that differ from the defaults.
    #[serde(skip_serializing_if = "OptionList::is_empty")]
    pub options: OptionList,
    /// The call that made it: `file:line:column`.
    pub location: String,
    /// Its arguments, in the order of the parameters.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<ArgView<'p>>,
}

impl NodeView<'_> {
    /// Whether the label is neither the name of the task nor that name with a number,
    /// `summarise_2`.
    pub(super) fn calls_another_name(&self) -> bool {
        match self.label.strip_prefix(self.task) {
            Some("") => false,
            Some(rest) => rest.strip_prefix('_').is_none_or(|number| number.parse::<u32>().is_err()),
            None => true,
        }
    }
}

/// An argument of a node.
#[derive(Clone, Debug, Serialize, Schema)]
#[non_exhaustive]
pub struct ArgView<'p> {
    /// The name of the parameter.
    pub name: &'p str,
    /// The type of the parameter, without modules.
    #[serde(rename = "type")]
    pub ty: String,
    /// What it is given.
    #[serde(flatten)]
    pub value: ArgValue<'p>,
}

/// What an argument is given.
#[derive(Clone, Debug, Serialize, Schema)]
#[serde(untagged)]
pub enum ArgValue<'p> {
    /// A plain value.
    Constant {
        /// Its JSON form.
        constant: &'p serde_json::Value,
    },
    /// Values that come over edges.
    Edges {
        /// What the edges ask of their upstreams.
        edge: Link,
        /// Where they begin, in the order in which they were passed.
        sources: Vec<Endpoint<'p>>,
        /// How the values change on the way, one for each source; empty when none does.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        projections: Vec<Option<String>>,
    },
}

/// What an edge asks of its upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Schema)]
#[serde(rename_all = "snake_case")]
#[schema(name = "EdgeKind")]
pub enum Link {
    /// A value: `T`.
    Required,
    /// A value or a skip: `Option<T>`.
    Optional,
    /// Any end: `Result<T, Failure>`.
    Outcome,
    /// To be the first success among several: `AnyOf<T>`.
    First,
    /// No value, only to have ended: `a >> b`.
    Order,
}

impl Link {
    /// Every kind of edge.
    pub const ALL: [Link; 5] = [Link::Required, Link::Optional, Link::Outcome, Link::First, Link::Order];

    /// `required`, `optional`, `outcome`, `first` or `order`.
    pub const fn name(self) -> &'static str {
        match self {
            Link::Required => "required",
            Link::Optional => "optional",
            Link::Outcome => "outcome",
            Link::First => "first",
            Link::Order => "order",
        }
    }

    /// What the downstream waits for, as a legend says it.
    pub(super) const fn meaning(self) -> &'static str {
        match self {
            Link::Required => "needs its value",
            Link::Optional => "may be skipped",
            Link::Outcome => "may fail",
            Link::First => "first success",
            Link::Order => "order only",
        }
    }
}

/// An edge.
#[derive(Clone, Copy, Debug, Serialize, Schema)]
#[non_exhaustive]
pub struct EdgeView<'p> {
    /// Where it begins.
    pub from: Endpoint<'p>,
    /// The node where it ends.
    pub to: Ref<'p>,
    /// What it asks.
    pub kind: Link,
    /// On order edges the trigger rule of the node where it ends.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "rule_name")]
    #[schema(as = "String")]
    pub rule: Option<TriggerRule>,
}

impl EdgeView<'_> {
    /// The rule, where it says more than that the upstream must succeed.
    pub(super) fn special_rule(&self) -> Option<&'static str> {
        self.rule.filter(|rule| *rule != TriggerRule::default()).map(TriggerRule::name)
    }
}

#[expect(clippy::ref_option, reason = "the signature that serde calls")]
fn rule_name<S: Serializer>(rule: &Option<TriggerRule>, serializer: S) -> Result<S::Ok, S::Error> {
    rule.map(TriggerRule::name).serialize(serializer)
}

/// The result of a run of the DAG.
#[derive(Clone, Debug, Serialize, Schema)]
#[non_exhaustive]
pub struct ResultView<'p> {
    /// Where the value comes from.
    pub from: Endpoint<'p>,
    /// Its type, without modules.
    #[serde(rename = "type")]
    pub ty: String,
}
