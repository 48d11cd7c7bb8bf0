//! What a box in a picture says about its task besides the name.

use super::text;
use super::view::NodeView;

/// The task where the label does not tell it, the kind of thread where it is not a worker's, then the options that
/// decide when and where the task runs. Each is a word or two.
pub(super) fn facts(node: &NodeView<'_>) -> Vec<String> {
    let option = |name: &str| node.options.get(name).map(text::plain);
    let mut facts = Vec::new();
    if node.built_in {
        facts.push(node.task.to_owned());
    } else if node.calls_another_name() {
        facts.push(format!("fn {}", node.task));
    }
    if let Some(list) = node.each {
        facts.push(format!("for {}", list.id));
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
