//! The truth table of the trigger rules, derived from Airflow and not from the code.

use taskflow::TriggerRule;

/// A row for each mix of up to three upstreams (`s` success, `f` failed or `upstream_failed`, `k`
/// skipped; for `one_done`, which wants tasks that ran, `upstream_failed` is `k`), a column for
/// each rule: `R` runs, `S` is skipped, `F` is `upstream_failed`.
pub const TABLE: &str = "
 ups  all_success all_failed all_done all_done_min_one_success all_done_setup_success one_success one_failed one_done none_failed none_failed_min_one_success none_skipped all_skipped always
 -         R          R         R                R                      R                  R           R         R         R                 R                     R            R         R
 s         R          S         R                R                      R                  R           S         R         R                 R                     R            S         R
 f         F          R         R                F                      R                  F           R         R         F                 F                     R            S         R
 k         S          S         R                S                      R                  S           S         S         R                 S                     S            R         R
 ss        R          S         R                R                      R                  R           S         R         R                 R                     R            S         R
 sf        F          S         R                R                      R                  R           R         R         F                 F                     R            S         R
 sk        S          S         R                S                      R                  R           S         R         R                 R                     S            S         R
 ff        F          R         R                F                      R                  F           R         R         F                 F                     R            S         R
 fk        F          S         R                F                      R                  F           R         R         F                 F                     S            S         R
 kk        S          S         R                S                      R                  S           S         S         R                 S                     S            R         R
 sss       R          S         R                R                      R                  R           S         R         R                 R                     R            S         R
 ssf       F          S         R                R                      R                  R           R         R         F                 F                     R            S         R
 ssk       S          S         R                S                      R                  R           S         R         R                 R                     S            S         R
 sff       F          S         R                R                      R                  R           R         R         F                 F                     R            S         R
 sfk       F          S         R                S                      R                  R           R         R         F                 F                     S            S         R
 skk       S          S         R                S                      R                  R           S         R         R                 R                     S            S         R
 fff       F          R         R                F                      R                  F           R         R         F                 F                     R            S         R
 ffk       F          S         R                F                      R                  F           R         R         F                 F                     S            S         R
 fkk       F          S         R                F                      R                  F           R         R         F                 F                     S            S         R
 kkk       S          S         R                S                      R                  S           S         S         R                 S                     S            R         R
";

/// The verdict of a rule once all upstreams have ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExpectedVerdict {
    Run,
    Skip,
    Fail,
}

/// The verdict of a rule. Only for `one_done` does it matter whether an upstream failed or is
/// `upstream_failed`.
pub fn expected_verdict(
    rule: TriggerRule,
    success: usize,
    failed: usize,
    upstream_failed: usize,
    skipped: usize,
) -> ExpectedVerdict {
    match rule {
        TriggerRule::OneDone => cell(rule, success, failed, skipped + upstream_failed),
        _ => cell(rule, success, failed + upstream_failed, skipped),
    }
}

/// The cell of the table. More than three upstreams are looked up by which ends there are among
/// them: the rows show that their number makes no difference.
fn cell(rule: TriggerRule, success: usize, failed: usize, skipped: usize) -> ExpectedVerdict {
    let most = if success + failed + skipped > 3 { 1 } else { 3 };
    let mut mix: String =
        [("s", success), ("f", failed), ("k", skipped)].map(|(letter, count)| letter.repeat(count.min(most))).concat();
    if mix.is_empty() {
        mix.push('-');
    }
    let mut rows = TABLE.lines().filter(|line| !line.trim().is_empty());
    let header = rows.next().expect("the table has a header");
    let column = header.split_whitespace().position(|name| name == rule.name()).expect("every rule has a column");
    let row = rows.find(|row| row.split_whitespace().next() == Some(&mix)).expect("every mix has a row");
    match row.split_whitespace().nth(column) {
        Some("R") => ExpectedVerdict::Run,
        Some("S") => ExpectedVerdict::Skip,
        Some("F") => ExpectedVerdict::Fail,
        cell => panic!("{cell:?} is no verdict"),
    }
}
