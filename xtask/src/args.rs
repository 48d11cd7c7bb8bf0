//! Parses the command line into a [`Request`].

use std::fmt::Write as _;

/// A command of the project.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Test,
    Ci,
    Columns,
    Layers,
    Links,
    Features,
    Heavy,
    Advisories,
    Bench,
    Instructions,
    Spark,
    Clients,
    Screenshots,
}

impl Command {
    /// All commands, in the order of the help.
    const ALL: [Self; 13] = [
        Self::Test,
        Self::Ci,
        Self::Columns,
        Self::Layers,
        Self::Links,
        Self::Features,
        Self::Heavy,
        Self::Advisories,
        Self::Bench,
        Self::Instructions,
        Self::Spark,
        Self::Clients,
        Self::Screenshots,
    ];

    /// Its name on the command line.
    fn name(self) -> &'static str {
        match self {
            Self::Test => "test",
            Self::Ci => "ci",
            Self::Columns => "columns",
            Self::Layers => "layers",
            Self::Links => "links",
            Self::Features => "features",
            Self::Heavy => "heavy",
            Self::Advisories => "advisories",
            Self::Bench => "bench",
            Self::Instructions => "instructions",
            Self::Spark => "spark",
            Self::Clients => "clients",
            Self::Screenshots => "screenshots",
        }
    }

    /// Its name and arguments, for the help.
    fn usage(self) -> String {
        match self.arguments() {
            Arguments::None => self.name().to_owned(),
            Arguments::Only(flag) => format!("{} [{flag}]", self.name()),
            Arguments::OfCargo => format!("{} [args]", self.name()),
        }
    }

    /// Its description in the help.
    fn summary(self) -> &'static str {
        match self {
            Self::Test => "run all tests: unit, integration, examples, documentation, packages outside the workspace",
            Self::Ci => "run what CI runs: format, prose, layers, lints, docs, features, dependencies, tests",
            Self::Columns => "check the width of comments and Markdown, or with --fix re-wrap them",
            Self::Layers => "check that each layer of taskflow-core imports only lower ones",
            Self::Links => "check that the links in the Markdown files lead somewhere",
            Self::Features => "check each published package without features and with each of them alone",
            Self::Heavy => "lint and test the packages outside the workspace, under examples/: a quarter of an hour",
            Self::Advisories => "check the dependencies against known security advisories (needs the network)",
            Self::Bench => "run the benchmarks",
            Self::Instructions => {
                "count the instructions of fixed graphs, or with --record set the counts to compare with"
            }
            Self::Spark => "install Spark for the tests that use it, into target/spark-venv (needs the network)",
            Self::Clients => "install what tests the server, from PyPI into target/clients-venv (needs the network)",
            Self::Screenshots => "take the pictures of the documentation again, into docs/images",
        }
    }

    /// The arguments it takes.
    fn arguments(self) -> Arguments {
        match self {
            Self::Test | Self::Bench => Arguments::OfCargo,
            Self::Columns => Arguments::Only("--fix"),
            Self::Instructions => Arguments::Only("--record"),
            Self::Ci
            | Self::Layers
            | Self::Links
            | Self::Features
            | Self::Heavy
            | Self::Advisories
            | Self::Spark
            | Self::Clients
            | Self::Screenshots => Arguments::None,
        }
    }
}

/// The arguments a command takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Arguments {
    None,
    Only(&'static str),
    /// Any: they are passed to cargo.
    OfCargo,
}

impl Arguments {
    /// What is wrong with the argument `word`, if anything.
    fn mistake(self, command: Command, word: &str) -> Option<String> {
        let name = command.name();
        match self {
            Self::OfCargo => None,
            Self::Only(flag) if flag == word => None,
            Self::Only(flag) => Some(format!("`cargo xtask {name}` takes only `{flag}`, but got `{word}`")),
            Self::None => Some(format!("`cargo xtask {name}` takes no arguments, but got `{word}`")),
        }
    }
}

/// A parsed command line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Request {
    /// Print the list of commands.
    Help,
    /// Run a command. `rest` are its arguments.
    Run { command: Command, rest: Vec<String> },
}

/// Parses the words after `cargo xtask`. The error is a message for the user.
pub(crate) fn parse(words: impl IntoIterator<Item = String>) -> Result<Request, String> {
    let mut words = words.into_iter();
    let Some(first) = words.next() else {
        return Ok(Request::Help);
    };
    if is_help(&first) || first == "help" {
        return Ok(Request::Help);
    }
    let Some(command) = Command::ALL.into_iter().find(|c| c.name() == first) else {
        return Err(unknown_command(&first));
    };

    let rest: Vec<String> = words.collect();
    if rest.first().is_some_and(|word| is_help(word)) {
        return Ok(Request::Help);
    }
    match rest.iter().find_map(|word| command.arguments().mistake(command, word)) {
        Some(mistake) => Err(mistake),
        None => Ok(Request::Run { command, rest }),
    }
}

fn is_help(word: &str) -> bool {
    matches!(word, "-h" | "--help")
}

fn unknown_command(word: &str) -> String {
    let mut message = format!("no command `{word}`");
    if let Some(similar) = most_similar(word) {
        let _ = write!(message, "; did you mean `{}`?", similar.name());
    }
    let names: Vec<_> = Command::ALL.map(Command::name).into();
    let _ = write!(message, "\nThe commands are: {}.", names.join(", "));
    message
}

/// The command most similar to a mistyped word, if one is similar enough.
fn most_similar(word: &str) -> Option<Command> {
    const SIMILAR_ENOUGH: f64 = 0.7;
    Command::ALL
        .into_iter()
        .map(|command| (strsim::jaro_winkler(word, command.name()), command))
        .filter(|(similarity, _)| *similarity >= SIMILAR_ENOUGH)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, command)| command)
}

/// What `cargo xtask --help` prints.
pub(crate) fn help() -> String {
    let mut text = String::from("Usage: cargo xtask <command>\n\nCommands:\n");
    for command in Command::ALL {
        let _ = writeln!(text, "  {:<16}{}", command.usage(), command.summary());
    }
    text.push_str(
        "\n[args] are passed to cargo: `cargo xtask test retries` runs the tests whose names contain `retries`.\n\
         `cargo xtask test --long` repeats randomized tests more often.\n",
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_line(line: &str) -> Result<Request, String> {
        parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn without_arguments_the_help_is_shown() {
        assert_eq!(parse_line(""), Ok(Request::Help));
    }

    #[test]
    fn help_is_accepted_before_and_after_a_command() {
        for line in ["help", "-h", "--help", "ci --help", "bench -h"] {
            assert_eq!(parse_line(line), Ok(Request::Help), "{line}");
        }
    }

    #[test]
    fn every_command_is_parsed() {
        for command in Command::ALL {
            assert_eq!(parse_line(command.name()), Ok(Request::Run { command, rest: vec![] }));
        }
    }

    #[test]
    fn every_command_is_in_the_help() {
        let help = help();
        for command in Command::ALL {
            assert!(help.contains(&format!("  {}", command.usage())), "{help}");
        }
    }

    #[test]
    fn test_and_bench_keep_their_arguments_in_order() {
        assert_eq!(
            parse_line("bench chain -- --quick --help"),
            Ok(Request::Run {
                command: Command::Bench,
                rest: ["chain", "--", "--quick", "--help"].map(str::to_owned).into(),
            })
        );
    }

    #[test]
    fn ci_rejects_arguments() {
        assert_eq!(parse_line("ci --fast"), Err("`cargo xtask ci` takes no arguments, but got `--fast`".to_owned()));
    }

    #[test]
    fn columns_takes_one_flag() {
        let rest = vec!["--fix".to_owned()];
        assert_eq!(parse_line("columns --fix"), Ok(Request::Run { command: Command::Columns, rest }));
        let mistake = "`cargo xtask columns` takes only `--fix`, but got `--fast`";
        assert_eq!(parse_line("columns --fix --fast"), Err(mistake.to_owned()));
    }

    #[test]
    fn an_unknown_command_is_rejected_with_a_suggestion_and_the_list() {
        assert_eq!(
            parse_line("advisory"),
            Err("no command `advisory`; did you mean `advisories`?\nThe commands are: test, ci, columns, layers, links, features, heavy, advisories, bench, instructions, spark, clients, screenshots."
                .to_owned())
        );
    }

    #[test]
    fn a_word_unlike_any_command_gets_no_suggestion() {
        assert_eq!(
            parse_line("frobnicate"),
            Err("no command `frobnicate`\nThe commands are: test, ci, columns, layers, links, features, heavy, advisories, bench, instructions, spark, clients, screenshots."
                .to_owned())
        );
    }
}
