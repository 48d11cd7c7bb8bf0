//! From words on the command line to a [`Request`].

use std::fmt::Write as _;

/// A command of the project.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Test,
    Ci,
    Columns,
    Heavy,
    Advisories,
    Bench,
    Spark,
}

impl Command {
    /// Every command, in the order the help lists them.
    const ALL: [Self; 7] =
        [Self::Test, Self::Ci, Self::Columns, Self::Heavy, Self::Advisories, Self::Bench, Self::Spark];

    /// The word that selects it.
    fn name(self) -> &'static str {
        match self {
            Self::Test => "test",
            Self::Ci => "ci",
            Self::Columns => "columns",
            Self::Heavy => "heavy",
            Self::Advisories => "advisories",
            Self::Bench => "bench",
            Self::Spark => "spark",
        }
    }

    /// How it is called, for the help.
    fn usage(self) -> String {
        match self.arguments() {
            Arguments::None => self.name().to_owned(),
            Arguments::Only(flag) => format!("{} [{flag}]", self.name()),
            Arguments::OfCargo => format!("{} [args]", self.name()),
        }
    }

    /// One line for the help.
    fn summary(self) -> &'static str {
        match self {
            Self::Test => "run every test: unit, integration, examples, documentation, packages of their own",
            Self::Ci => "run what CI runs: formatting, lints, docs, features, dependencies, tests of the workspace",
            Self::Columns => "check the width of comments and Markdown, or with --fix re-wrap them",
            Self::Heavy => "lint and test the packages of their own under examples/: a quarter of an hour",
            Self::Advisories => "check the dependencies for known advisories (needs the network)",
            Self::Bench => "run the benchmarks",
            Self::Spark => "install Spark for the tests that run it, into target/spark-venv (needs the network)",
        }
    }

    /// The arguments it takes.
    fn arguments(self) -> Arguments {
        match self {
            Self::Test | Self::Bench => Arguments::OfCargo,
            Self::Columns => Arguments::Only("--fix"),
            Self::Ci | Self::Heavy | Self::Advisories | Self::Spark => Arguments::None,
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
    fn refuse(self, command: Command, word: &str) -> Option<String> {
        let name = command.name();
        match self {
            Self::OfCargo => None,
            Self::Only(flag) if flag == word => None,
            Self::Only(flag) => Some(format!("`cargo xtask {name}` takes only `{flag}`, but got `{word}`")),
            Self::None => Some(format!("`cargo xtask {name}` takes no arguments, but got `{word}`")),
        }
    }
}

/// What the command line asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Request {
    /// The list of commands.
    Help,
    /// One command, and the words that cargo gets.
    Run { command: Command, rest: Vec<String> },
}

/// Reads the words after `cargo xtask`. The error is a message for the user.
pub(crate) fn parse(words: impl IntoIterator<Item = String>) -> Result<Request, String> {
    let mut words = words.into_iter();
    let Some(first) = words.next() else {
        return Ok(Request::Help);
    };
    if is_help(&first) || first == "help" {
        return Ok(Request::Help);
    }
    let Some(command) = Command::ALL.into_iter().find(|c| c.name() == first) else {
        return Err(unknown(&first));
    };

    let rest: Vec<String> = words.collect();
    if rest.first().is_some_and(|word| is_help(word)) {
        return Ok(Request::Help);
    }
    match rest.iter().find_map(|word| command.arguments().refuse(command, word)) {
        Some(mistake) => Err(mistake),
        None => Ok(Request::Run { command, rest }),
    }
}

fn is_help(word: &str) -> bool {
    matches!(word, "-h" | "--help")
}

fn unknown(word: &str) -> String {
    let mut message = format!("no command `{word}`");
    if let Some(near) = nearest(word) {
        let _ = write!(message, "; did you mean `{}`?", near.name());
    }
    let names: Vec<_> = Command::ALL.map(Command::name).into();
    let _ = write!(message, "\nThe commands are: {}.", names.join(", "));
    message
}

/// The command a mistyped word most likely stands for, if any is near enough.
fn nearest(word: &str) -> Option<Command> {
    const NEAR_ENOUGH: f64 = 0.7;
    Command::ALL
        .into_iter()
        .map(|command| (strsim::jaro_winkler(word, command.name()), command))
        .filter(|(likeness, _)| *likeness >= NEAR_ENOUGH)
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
        "\n[args] go on to cargo: `cargo xtask test retries` runs the tests whose names contain `retries`.\n\
         `cargo xtask test --long` looks longer where chance decides what is tried.\n",
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
    fn no_words_ask_for_help() {
        assert_eq!(parse_line(""), Ok(Request::Help));
    }

    #[test]
    fn help_is_understood_before_and_after_a_command() {
        for line in ["help", "-h", "--help", "ci --help", "bench -h"] {
            assert_eq!(parse_line(line), Ok(Request::Help), "{line}");
        }
    }

    #[test]
    fn every_listed_command_is_understood() {
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
    fn test_and_bench_pass_words_on_in_their_order() {
        assert_eq!(
            parse_line("bench chain -- --quick --help"),
            Ok(Request::Run {
                command: Command::Bench,
                rest: ["chain", "--", "--quick", "--help"].map(str::to_owned).into(),
            })
        );
    }

    #[test]
    fn ci_refuses_words_it_would_ignore() {
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
    fn an_unknown_command_names_the_nearest_and_all() {
        assert_eq!(
            parse_line("advisory"),
            Err("no command `advisory`; did you mean `advisories`?\nThe commands are: test, ci, columns, heavy, advisories, bench, spark."
                .to_owned())
        );
    }

    #[test]
    fn a_word_like_no_command_gets_no_guess() {
        assert_eq!(
            parse_line("frobnicate"),
            Err("no command `frobnicate`\nThe commands are: test, ci, columns, heavy, advisories, bench, spark."
                .to_owned())
        );
    }
}
