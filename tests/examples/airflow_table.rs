//! The tests that the table for Airflow users (`docs/airflow.md`) names exist.

use std::path::Path;

/// The texts between backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// E13: the rows of the table, each with a test that shows it.
#[test]
fn every_test_named_in_the_table_exists() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    let table = std::fs::read_to_string(tests.join("../docs/airflow.md")).expect("the table is part of the repository");
    let mut rows = 0;
    for line in table.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| Airflow")) {
        // A bar inside code is escaped.
        let line = line.replace("\\|", "");
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        assert_eq!(cells.len(), 3, "{line}");
        rows += 1;
        assert!(!cells[2].is_empty() || cells[1].starts_with("**not yet**"), "nothing shows {line}");
        for shown in cells[2].split(';') {
            let mut names = quoted(shown);
            let Some(file) = names.next().filter(|name| !name.contains("::")) else { continue };
            let path = tests.join(format!("{file}.rs"));
            let source = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            for test in names {
                assert!(source.contains(&format!("fn {test}(")), "{file} has no test {test}");
            }
        }
    }
    assert!(rows > 50, "{rows} rows");
}
