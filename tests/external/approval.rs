//! Tasks that wait for the answer of a person.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;
use taskflow::approval::{Answer, Decision, approve, ask};
use taskflow::engine::{RunControl, RunState, TaskState};
use taskflow::journal::{Journal, JournalError, Note};
use taskflow::ops::{self, Actor, OpsError, Via};
use taskflow::prelude::*;
use taskflow::{BoxError, Durability};
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

#[dag]
fn paid() -> bool {
    go_on(approve("release", "may it be paid?").by(&["finance"]).four_eyes())
}

/// A question that kim has caused, whose process ends while it is asked. It failed before questions
/// had a rule: kim could answer, and the second answer replaced the first.
#[tokio::test]
async fn who_may_answer_is_stored_with_the_question() -> Result<(), BoxError> {
    let home = tempfile::tempdir()?;
    let journal = Journal::open(home.path()).await?;
    let kim = Actor { name: "kim".to_owned(), via: Via::Session };
    let lee = Actor { name: "lee".to_owned(), via: Via::Session };
    let signed = ops::acting_as(&journal, &kim);
    let handle = ops::start(ops::draft(paid::def(), None)?, Some((&signed, Durability::Strict))).start()?;
    until_it_asks(&journal, "release").await?;
    journal.close().await?;
    assert_eq!(tokio::time::timeout(PATIENCE, handle).await?.state(), RunState::Interrupted);

    let journal = Journal::open(home.path()).await?;
    let history = journal.history("last").await?;
    let wait = history.task("release").and_then(|task| task.waits_for.clone()).expect("it still asks");
    assert_eq!((wait.respondents.answered_by, wait.respondents.four_eyes), (vec!["finance".to_owned()], true));
    assert_eq!(history.info.requested_by, ["kim"]);

    let finance = ["finance".to_owned()];
    // The name of whoever is checked counts, not the one that they give.
    let (yes, note) = (json!("approved"), Note { by: "ceo".to_owned(), ..Note::default() });
    let answer = async |journal: &Journal| ops::send_event(journal, "last", "release", &yes, &note).await;
    for (journal, refusal) in [
        (journal.clone(), "a program that acts for nobody may not answer `release` of run 1; "),
        (ops::acting_as(&journal, &lee), "`lee` may not answer `release` of run 1; "),
        (ops::acting_as_member(&journal, &lee, &["staff".to_owned()]), "`lee` may not answer `release` of run 1; "),
        (
            ops::acting_as_member(&journal, &kim, &finance),
            "`kim` may not answer `release` of run 1, having asked for the run; it is answered by members of `finance`",
        ),
    ] {
        let refused = answer(&journal).await.unwrap_err();
        assert!(matches!(refused, OpsError::MayNotAnswer { .. }), "{refused:?}");
        assert!(refused.to_string().starts_with(refusal), "{refused}");
    }
    let member = ops::acting_as_member(&journal, &lee, &finance);
    assert_eq!(answer(&member).await?.notified, None);
    // The answer waits for a process, and is the only one.
    let again = answer(&member).await.unwrap_err();
    assert!(matches!(again, OpsError::NoQuestion { .. }), "{again:?}");
    let report = journal.resume("last").await?.await?;
    assert_eq!(report.state(), RunState::Success);
    let given = ops::value(&journal, &journal.history("last").await?, "release").await?;
    assert_eq!(given["by"], "lee", "{given}");
    Ok(())
}

#[task]
fn pass_on(answer: Answer<Decision>) -> Answer<Decision> {
    answer
}

/// No name, names without letters, and a task that asks nothing.
#[test]
fn a_question_that_nobody_can_answer_is_a_mistake_of_the_graph() {
    let nobody: &[&'static [&'static str]] = &[&[], &[""], &["finance", "user:"], &[" finance"]];
    for &names in nobody {
        let errors = Dag::build("nobody", || go_on(approve("gate", "?").by(names))).unwrap_err().to_string();
        assert!(errors.contains("task `gate`") && errors.contains("`.by(..)` names nobody"), "{errors}");
    }
    let errors = Dag::build("no_question", || go_on(pass_on(approve("gate", "?")).four_eyes())).unwrap_err();
    assert!(errors.to_string().contains("task `pass_on`"), "{errors}");
    assert!(errors.to_string().contains("it asks nobody"), "{errors}");
}

/// Two graphs that differ in who may answer only: a resumed run must not take one for the other.
#[test]
fn who_may_answer_is_part_of_the_hash_of_a_graph() {
    let hash = |question: fn() -> Output<Answer<Decision>>| {
        Dag::build("hashed", || go_on(question())).unwrap().plan().hash().to_owned()
    };
    let hashes = [
        hash(|| approve("gate", "?")),
        hash(|| approve("gate", "?").by(&["finance"])),
        hash(|| approve("gate", "?").by(&["ops"])),
        hash(|| approve("gate", "?").four_eyes()),
    ];
    for (place, one) in hashes.iter().enumerate() {
        assert!(!hashes[place + 1..].contains(one), "{hashes:?}");
    }
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
