//! From words on the command line to a [`Request`].

use std::fmt::Write as _;

/// A command of the project.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Test,
    Ci,
    Heavy,
    Advisories,
    Bench,
    Spark,
}

impl Command {
    /// Every command, in the order the help lists them.
    const ALL: [Self; 6] = [Self::Test, Self::Ci, Self::Heavy, Self::Advisories, Self::Bench, Self::Spark];

    /// The word that selects it.
    fn name(self) -> &'static str {
        match self {
            Self::Test => "test",
            Self::Ci => "ci",
            Self::Heavy => "heavy",
            Self::Advisories => "advisories",
            Self::Bench => "bench",
            Self::Spark => "spark",
        }
    }

    /// How it is called, for the help.
    fn usage(self) -> String {
        if self.passes_words_on() { format!("{} [args]", self.name()) } else { self.name().to_owned() }
    }

    /// One line for the help.
    fn summary(self) -> &'static str {
        match self {
            Self::Test => "run every test: unit, integration, examples, documentation, packages of their own",
            Self::Ci => "run what CI runs: formatting, lints, docs, features, dependencies, tests of the workspace",
            Self::Heavy => "lint and test the packages of their own under examples/: a quarter of an hour",
            Self::Advisories => "check the dependencies for known advisories (needs the network)",
            Self::Bench => "run the benchmarks",
            Self::Spark => "install Spark for the tests that run it, into target/spark-venv (needs the network)",
        }
    }

    /// Whether words after the command go on to cargo; the other commands take none.
    fn passes_words_on(self) -> bool {
        matches!(self, Self::Test | Self::Bench)
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
    match rest.first() {
        Some(word) if is_help(word) => Ok(Request::Help),
        Some(word) if !command.passes_words_on() => {
            Err(format!("`cargo xtask {}` takes no arguments, but got `{word}`", command.name()))
        }
        _ => Ok(Request::Run { command, rest }),
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
        let _ = writeln!(text, "  {:<13}{}", command.usage(), command.summary());
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
    fn an_unknown_command_names_the_nearest_and_all() {
        assert_eq!(
            parse_line("advisory"),
            Err("no command `advisory`; did you mean `advisories`?\nThe commands are: test, ci, heavy, advisories, bench, spark."
                .to_owned())
        );
    }

    #[test]
    fn a_word_like_no_command_gets_no_guess() {
        assert_eq!(
            parse_line("frobnicate"),
            Err("no command `frobnicate`\nThe commands are: test, ci, heavy, advisories, bench, spark.".to_owned())
        );
    }
}
