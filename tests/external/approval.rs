//! Tasks that wait for the answer of a person.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use taskflow::BoxError;
use taskflow::approval::{Answer, Decision, approve, ask};
use taskflow::engine::{RunControl, RunState, TaskState};
use taskflow::journal::{Journal, JournalError, Note};
use taskflow::prelude::*;
use taskflow_tests::common::{PATIENCE, finish};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Choice {
    Publish,
    Correct { factor: f64 },
}

#[task]
fn published(choice: &Answer<Choice>) -> String {
    format!("{:?} by {}: {}", choice.answer, choice.by, choice.reason)
}

#[dag]
fn consent() -> String {
    published(ask::<Choice>("consent", "may it be published?"))
}

#[task]
fn go_on(decision: &Answer<Decision>) -> bool {
    decision.answer == Decision::Approved
}

#[dag]
fn gate() -> bool {
    go_on(approve("gate", "may it go on?"))
}

async fn until_it_asks(journal: &Journal, task: &str) -> Result<(), BoxError> {
    let asks = async {
        loop {
            let history = journal.history("last").await;
            if history.is_ok_and(|history| history.task(task).is_some_and(|task| task.state == TaskState::Deferred)) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    Ok(tokio::time::timeout(PATIENCE, asks).await?)
}

#[tokio::test]
async fn an_answer_records_who_gave_it_and_why() -> Result<(), BoxError> {
    let home = tempfile::tempdir()?;
    let journal = Journal::open(home.path()).await?;
    let handle = consent::run().journal(&journal).start()?;
    until_it_asks(&journal, "consent").await?;
    let note = Note { by: "ada".to_owned(), reason: "looks fine".to_owned() };
    journal.send_event("last", "consent", &Choice::Correct { factor: 0.5 }, &note).await?;
    let report = tokio::time::timeout(PATIENCE, handle).await?;
    assert_eq!(report.result().unwrap(), "Correct { factor: 0.5 } by ada: looks fine");
    Ok(())
}

#[tokio::test]
async fn an_invalid_answer_is_rejected_with_the_valid_ones() -> Result<(), BoxError> {
    let journal = Journal::in_memory()?;
    let handle = consent::run().journal(&journal).start()?;
    until_it_asks(&journal, "consent").await?;
    let error = journal.send_event("last", "consent", &"Maybe", &Note::default()).await.unwrap_err();
    assert!(matches!(error, JournalError::Answer { .. }));
    let output = error.to_string();
    assert!(output.contains("the value does not answer `consent`: \"Maybe\" is not a valid Choice: "), "{output}");
    assert!(output.contains("expected `Publish` or `Correct`"), "{output}");
    let control: RunControl = handle.control();
    let output = control.send_event("consent", &7).unwrap_err().to_string();
    assert!(output.starts_with("7 is not a valid Choice"), "{output}");
    // Other events are free, and the task still waits.
    control.send_event("something else", &7)?;
    control.send_event("consent", &Choice::Publish)?;
    let report = tokio::time::timeout(PATIENCE, handle).await?;
    // Nobody was named: it is the account of the program.
    assert_eq!(*report.result().unwrap(), format!("Publish by {}: ", Note::by_user("").by));
    Ok(())
}

#[tokio::test]
async fn a_pending_approval_survives_restarts() -> Result<(), BoxError> {
    let home = tempfile::tempdir()?;
    let journal = Journal::open(home.path()).await?;
    let handle = gate::run().journal(&journal).start()?;
    until_it_asks(&journal, "gate").await?;
    journal.close().await?;
    assert_eq!(tokio::time::timeout(PATIENCE, handle).await?.state(), RunState::Interrupted);

    let journal = Journal::open(home.path()).await?;
    let refused = journal.send_event("last", "gate", &"yes", &Note::default()).await.unwrap_err().to_string();
    assert!(refused.contains("expected `approved` or `rejected`"), "{refused}");
    journal.send_event("last", "gate", &Decision::Approved, &Note::default()).await?;
    let report = journal.resume("last").await?.await?;
    assert_eq!(report.state(), RunState::Success);
    assert_eq!(report.task("go_on").unwrap().state(), TaskState::Success);
    Ok(())
}

#[test]
fn a_rejection_skips_downstream_tasks() {
    let handle = gate::run().start().unwrap();
    handle.control().send_event("gate", &Decision::Rejected).unwrap();
    let report = finish(handle);
    assert_eq!(report.state(), RunState::Success);
    let gate = report.task("gate").unwrap();
    let rejected = format!("skipped: rejected by {}", Note::by_user("").by);
    assert_eq!((gate.state(), gate.failure().unwrap().to_string()), (TaskState::Skipped, rejected));
    assert_eq!(report.task("go_on").unwrap().state(), TaskState::Skipped);
}

#[task]
fn names() -> Vec<String> {
    vec!["a".to_owned(), "b".to_owned()]
}

#[task]
fn answers(answers: &[Option<Answer<Decision>>]) -> Vec<bool> {
    answers.iter().map(Option::is_some).collect()
}

#[dag]
fn each_of_them() -> Vec<bool> {
    answers(names().each(|name| approve("may", name)))
}

#[test]
fn each_element_has_its_own_approval() {
    let handle = each_of_them::run().start().unwrap();
    handle.control().send_event("may[1]", &Decision::Rejected).unwrap();
    handle.control().send_event("may[0]", &Decision::Approved).unwrap();
    assert!(handle.control().send_event("may[0]", &"perhaps").is_err());
    assert_eq!(finish(handle).result(), Some(&vec![true, false]));
}
