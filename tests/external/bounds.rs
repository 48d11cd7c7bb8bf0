//! Texts of any size: what is kept of a huge error, of many links, of a long key.

use taskflow::journal::Journal;
use taskflow::prelude::*;
use taskflow_tests::common::{failure_of, live};

#[task]
fn shouts() -> Result<u32> {
    Err("x".repeat(50 << 20))?
}

#[task]
fn panics() -> u32 {
    panic!("{}", "y".repeat(1 << 20))
}

#[task]
fn skips(ctx: &TaskContext) -> Result<u32> {
    Err(ctx.skip("z".repeat(1 << 20)))?
}

#[dag]
fn loud() {
    let _ = (shouts(), panics(), skips());
}

/// D3: an error of 50 MiB.
#[test]
fn a_huge_message_is_cut_with_a_note() {
    let report = live(loud::run());
    let told = failure_of(&report, "shouts");
    assert!(told.starts_with("xxxx") && told.ends_with("… (49.9 MiB more)"), "{} bytes", told.len());
    for task in ["shouts", "panics", "skips"] {
        let told = failure_of(&report, task);
        assert!(told.len() < 66 << 10, "{task}: {} bytes", told.len());
    }
}

#[task]
fn links(ctx: &TaskContext) {
    (0..20_000).for_each(|n| ctx.link(&format!("page {n}"), &format!("https://example.com/{n}")));
    ctx.link("page 7", "https://example.com/seven");
    ctx.link("page 8", &format!("https://example.com/{}", "8".repeat(1 << 20)));
}

/// A key of 5 MiB, and one of 512 bytes.
#[task]
async fn keys(ctx: &TaskContext) -> Result<()> {
    let long = "k".repeat(5 << 20);
    let pushed = ctx.push(&long, 1_u32).expect_err("the key is too long").to_string();
    assert!(pushed.ends_with("a key has at most 512 bytes, but this one has 5.0 MiB"), "{pushed}");
    assert!(pushed.len() < 300, "{pushed}");
    let stored = ctx.set_state(&long, 1_u32).await.expect_err("the key is too long").to_string();
    assert!(stored.contains("a key has at most 512 bytes") && stored.len() < 300, "{stored}");
    ctx.push(&long[..512], 1_u32)?;
    Ok(())
}

#[task]
fn words() -> Vec<String> {
    vec!["w".repeat(1 << 20)]
}

#[task]
fn length(word: &str) -> usize {
    word.len()
}

#[dag]
fn many() {
    let _ = (links(), keys());
    let _ = words().label(Clone::clone).each(|word| length(word));
}

/// D3: 20,000 links, a pushed key of 5 MiB, a label of 1 MiB.
#[tokio::test]
async fn links_keys_and_labels_are_bounded() {
    let journal = Journal::in_memory().unwrap();
    let report = many::run().journal(&journal).await.unwrap();
    assert!(report.is_success(), "{report:?}");
    let history = journal.history("last").await.unwrap();
    let links = &history.task("links").unwrap().links;
    assert_eq!(links.len(), 100);
    let url = |name: &str| links.iter().find(|link| link.name == name).map(|link| &*link.url);
    assert_eq!(url("page 7"), Some("https://example.com/seven"));
    let cut = url("page 8").unwrap();
    assert!(cut.len() < 9 << 10 && cut.contains("… ("), "{} bytes", cut.len());
    assert_eq!(history.task("keys").unwrap().pushed.len(), 1);
    let label = history.task("length[0]").unwrap().label.as_deref().unwrap();
    assert!(label.len() < 300 && label.ends_with(" more)"), "{label}");
}
