//! What a box in a picture shows of its task besides the name.

use super::text;
use super::view::NodeView;

/// The task if the label does not name it, the kind of thread if it is not a worker, then the
/// options that decide when and where the task runs. Each is one or two words.
pub(super) fn facts(node: &NodeView<'_>) -> Vec<String> {
    let option = |name: &str| node.options.get(name).map(text::plain);
    let mut facts = Vec::new();
    if let Some(tasks) = option("tasks") {
        return vec![if tasks == "1" { "1 task".to_owned() } else { format!("{tasks} tasks") }];
    }
    if node.built_in {
        facts.push(node.task.to_owned());
    } else if node.calls_another_name() {
        facts.push(format!("fn {}", node.task));
    }
    if node.kind != "sync" {
        facts.push(node.kind.to_owned());
    }
    if let Some(executor) = option("executor") {
        facts.push(format!("on {executor}"));
    }
    if let Some(retries) = option("retries") {
        facts.push(format!("retries {retries}"));
    }
    if let Some(timeout) = option("timeout") {
        facts.push(format!("timeout {timeout}"));
    }
    if let Some(limit) = option("total_timeout") {
        facts.push(format!("total timeout {limit}"));
    }
    if let Some(pool) = option("pool") {
        let slots = option("pool_slots").map(|slots| format!(" \u{d7}{slots}")).unwrap_or_default();
        facts.push(format!("pool {pool}{slots}"));
    }
    if let Some(priority) = option("priority") {
        facts.push(format!("priority {priority}"));
    }
    facts.extend(node.options.get("setup").map(|_| "setup".to_owned()));
    facts.extend(node.options.get("teardown").map(|_| "teardown".to_owned()));
    facts.extend(option("trigger_rule"));
    facts
}
