//! The text of one line.

use crate::render::text;
use crate::render::view::{ArgValue, Endpoint, Link, NodeView, OptionList, ParamView};

/// How much of a plain value is shown.
const CONSTANT: usize = 28;

/// What an edge requires, unless that is simply the value.
pub(super) fn note(link: Link) -> Option<&'static str> {
    match link {
        Link::Required => None,
        Link::Order => Some("after"),
        Link::Optional | Link::Outcome | Link::First => Some(link.name()),
    }
}

/// `(day: $day, table: "delays")`: the arguments that are no edges between tasks.
pub(super) fn arguments(node: &NodeView<'_>) -> String {
    let arguments = node.args.iter().filter_map(|arg| {
        let value = match &arg.value {
            // The name of an arm, which its id contains.
            ArgValue::Constant { .. } if node.built_in => String::new(),
            ArgValue::Constant { constant } => text::brief_json(constant, CONSTANT),
            ArgValue::Edges { edge, sources, .. } => {
                let params = sources.iter().filter_map(|source| match source {
                    Endpoint::Param(param) => Some(format!("${}", param.id)),
                    Endpoint::Task(_) => None,
                });
                let params: Vec<String> = params.collect();
                let kind = if params.is_empty() { None } else { note(*edge) };
                params.join(" ") + &kind.map(|kind| format!(" [{kind}]")).unwrap_or_default()
            }
        };
        (!value.is_empty()).then(|| format!("{}: {value}", arg.name))
    });
    let arguments: Vec<String> = arguments.collect();
    if arguments.is_empty() { String::new() } else { format!("({})", arguments.join(", ")) }
}

/// The task if the id does not name it, the kind of thread, the options, the result.
pub(super) fn details(node: &NodeView<'_>, result: Option<&str>) -> String {
    let mut details = Vec::new();
    if node.built_in {
        details.push(node.task.to_owned());
    } else if node.calls_another_name() {
        details.push(format!("task {}", node.task));
    }
    if let Some(list) = node.each {
        details.push(format!("for {}", list.id));
    }
    if node.kind != "sync" {
        details.push(node.kind.to_owned());
    }
    if !node.options.is_empty() {
        details.push(options(&node.options));
    }
    if let Some(ty) = result {
        details.push(format!("result {ty}"));
    }
    if details.is_empty() { String::new() } else { format!("  {}", details.join(", ")) }
}

/// `retries 3, timeout 10m`; an option that is only switched on is its name.
pub(super) fn options(options: &OptionList) -> String {
    let shown = options.iter().map(|(name, value)| match value {
        serde_json::Value::Bool(true) => name.to_owned(),
        serde_json::Value::Object(inner) => {
            let inner: Vec<String> =
                inner.iter().map(|(name, value)| format!("{name} {}", text::plain(value))).collect();
            format!("{name} ({})", inner.join(", "))
        }
        value => format!("{name} {}", text::plain(value)),
    });
    shown.collect::<Vec<_>>().join(", ")
}

/// `late_after_min: u32 = 15, in 0..=600`, and its description.
pub(super) fn param(param: &ParamView<'_>) -> String {
    let mut line = format!("{}: {}", param.name, param.ty);
    if let Some(default) = param.default_text() {
        line += &format!(" = {}", text::shorten(&default, 60));
    }
    let mut rules = Vec::new();
    if param.required {
        rules.push("required".to_owned());
    }
    if let Some(range) = param.range {
        rules.push(format!("in {range}"));
    }
    if !param.choices.is_empty() {
        rules.push(format!("one of {}", param.choices.join(" ")));
    }
    if let Some(pattern) = param.pattern {
        rules.push(format!("matches {pattern}"));
    }
    if !rules.is_empty() {
        line += &format!(", {}", rules.join(", "));
    }
    match text::headline(param.help) {
        "" => line,
        help => format!("{line}  {help}"),
    }
}
