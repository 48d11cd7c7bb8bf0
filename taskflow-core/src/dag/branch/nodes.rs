//! The internal tasks of a branch.

use crate::task::{Body, InputDef, Inputs, Interrupt, Produced, TaskContext, TaskDef, pass_on};
use crate::value::{AnyValue, TypeInfo, Value};

/// The constant that the node of an arm takes: which arm it is, and how to decide whether it is
/// taken. Pictures and the structural hash contain only its label.
pub(super) struct Case<V, P> {
    pub(super) place: u32,
    pub(super) labels: &'static [&'static str],
    pub(super) choose: fn(&V) -> u32,
    pub(super) take: fn(&V) -> Option<P>,
    pub(super) not_taken: NotTaken,
}

/// How the reason of an arm's skip is worded.
#[derive(Clone, Copy, Debug)]
pub(super) enum NotTaken {
    Branch,
    Condition,
}

/// The constants of a generic type replace the statics that generic functions cannot have.
struct ArmOf<V, P>(V, P);
struct Of<T>(T);

impl<V: Value, P: Value> ArmOf<V, P> {
    const DEF: &'static TaskDef = &TaskDef {
        id: "arm",
        doc: "An arm of a branch: returns the content of the variant if this arm is taken, and is skipped otherwise.",
        inputs: &[
            InputDef { name: "on", ty: TypeInfo::of::<V>() },
            InputDef { name: "arm", ty: TypeInfo::of::<&'static str>() },
        ],
        output: TypeInfo::of_value::<P>(),
        body: Body::Sync(run_arm::<V, P>),
        ..TaskDef::OWN
    };
}

impl<T: Value> Of<T> {
    const JOIN: &'static TaskDef = &TaskDef {
        id: "join",
        doc: "The value of a branch: that of the arm that was taken.",
        inputs: &[InputDef { name: "arms", ty: TypeInfo::of::<T>() }],
        output: TypeInfo::of_value::<T>(),
        body: Body::Sync(pass_on),
        ..TaskDef::OWN
    };
    const PASS: &'static TaskDef = &TaskDef {
        id: "pass",
        doc: "Passes on a value that an arm of a branch returns but does not compute.",
        inputs: &[InputDef { name: "value", ty: TypeInfo::of::<T>() }],
        output: TypeInfo::of_value::<T>(),
        body: Body::Sync(pass_on),
        ..TaskDef::OWN
    };
}

pub(super) fn arm<V: Value, P: Value>() -> &'static TaskDef {
    ArmOf::<V, P>::DEF
}

pub(super) fn join<T: Value>() -> &'static TaskDef {
    Of::<T>::JOIN
}

pub(super) fn pass<T: Value>() -> &'static TaskDef {
    Of::<T>::PASS
}

fn run_arm<V: Value, P: Value>(inputs: &mut Inputs, _: Option<&TaskContext>) -> Produced {
    let (value, case) = (inputs.shared::<V>(0), inputs.shared::<Case<V, P>>(1));
    let chosen = (case.choose)(&value);
    let taken = if chosen == case.place { (case.take)(&value) } else { None };
    match taken {
        Some(payload) => Ok(AnyValue::new(payload)),
        None => Err(Box::new(Interrupt::skip(case.not_taken.reason(chosen, case.labels)))),
    }
}

impl NotTaken {
    fn reason(self, chosen: u32, labels: &[&str]) -> String {
        match self {
            NotTaken::Condition => format!("the condition is {}", chosen == 0),
            NotTaken::Branch => {
                let label = labels.get(chosen as usize).unwrap_or(&"?");
                format!("the branch `{label}` was taken")
            }
        }
    }
}
