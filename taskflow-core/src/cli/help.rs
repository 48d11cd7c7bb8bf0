//! The help page, which lists the commands in groups.

use std::fmt::Write;

use clap::Command;
use clap::builder::StyledStr;

/// The commands by theme. A test fails for a command without a group, which the page would omit.
const GROUPS: &[(&str, &[&str])] = &[
    ("DAGs", &["list", "show", "run", "trigger"]),
    ("Reading runs", &["runs", "status", "explain", "values", "logs", "lineage"]),
    ("Acting on runs", &["resume", "retry", "clear", "mark", "release", "cancel", "replay"]),
    ("Schedules", &["serve", "dags", "next", "slots", "pause", "unpause", "reset-schedule", "backfill", "backfills"]),
    ("Assets", &["emit", "events", "assets", "consumers"]),
    ("Access", &["users", "tokens"]),
    ("Other", &["config", "audit", "db", "doctor", "completions"]),
];

/// Sets a help page that lists the commands in groups.
pub(super) fn grouped(command: Command) -> Command {
    let styles = command.get_styles().clone();
    let (header, literal) = (styles.get_header(), styles.get_literal());
    let width = command.get_subcommands().map(|verb| verb.get_name().len()).max().unwrap_or(0);
    let mut verbs = String::new();
    for (title, names) in GROUPS {
        let found: Vec<&Command> = names.iter().filter_map(|name| command.find_subcommand(name)).collect();
        if found.is_empty() {
            continue;
        }
        // Writing to a string does not fail.
        let _ = writeln!(verbs, "{header}{title}:{header:#}");
        for verb in found {
            let (name, about) = (verb.get_name(), verb.get_about().map(StyledStr::to_string).unwrap_or_default());
            let about = about.lines().next().unwrap_or_default().replace(['{', '}'], "");
            let _ = writeln!(verbs, "  {literal}{name}{literal:#}{:pad$}  {about}", "", pad = width - name.len());
        }
        verbs.push('\n');
    }
    command.help_template(format!(
        "{{about-with-newline}}\n{{usage-heading}} {{usage}}\n\n{verbs}{header}Options:{header:#}\n{{options}}{{after-help}}"
    ))
}

#[cfg(test)]
mod tests {
    use super::super::args;
    use super::super::choose::Dags;
    use super::*;

    #[test]
    fn every_verb_is_in_a_group() {
        let command = args::command("dags", super::super::Program { version: None }, &Dags::of_binary());
        for verb in command.get_subcommands() {
            let name = verb.get_name();
            assert!(GROUPS.iter().any(|(_, names)| names.contains(&name)), "{name}");
        }
    }
}
