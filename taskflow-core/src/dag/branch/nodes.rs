//! The tasks that a branch is made of.

use std::sync::Arc;

use crate::task::{
    Body, InputDef, Inputs, Interrupt, Kind, Produced, SourceLocation, TaskContext, TaskDef, TaskOptions,
};
use crate::value::{TypeInfo, Value};

/// Which arm it is, and how to tell: the constant that the node of an arm takes. In pictures and in the hash it is the name
/// of the arm.
pub(super) struct Case<V, P> {
    pub(super) place: u32,
    pub(super) labels: &'static [&'static str],
    pub(super) choose: fn(&V) -> u32,
    pub(super) take: fn(&V) -> Option<P>,
    pub(super) not_taken: NotTaken,
}

/// How the skip of an arm is explained.
#[derive(Clone, Copy, Debug)]
pub(super) enum NotTaken {
    Branch,
    Condition,
}

/// What is known of every one of these tasks.
const BASE: TaskDef = TaskDef {
    id: "",
    module: TaskDef::BUILT_IN,
    doc: "",
    location: SourceLocation { file: file!(), line: line!(), column: column!() },
    inputs: &[],
    output: TypeInfo::of_value::<()>(),
    options: TaskOptions::NONE,
    takes_context: false,
    kind: Kind::Sync,
    body: Body::Sync(|_, _| Ok(Arc::new(()))),
};

/// The constants of a generic type are the statics that generic functions cannot have.
struct ArmOf<V, P>(V, P);
struct Of<T>(T);

impl<V: Value, P: Value> ArmOf<V, P> {
    const DEF: &'static TaskDef = &TaskDef {
        id: "arm",
        doc: "An arm of a branch: gives what the value holds if this arm is taken, and is skipped if another one is.",
        inputs: &[
            InputDef { name: "on", ty: TypeInfo::of::<V>() },
            InputDef { name: "arm", ty: TypeInfo::of::<&'static str>() },
        ],
        output: TypeInfo::of_value::<P>(),
        body: Body::Sync(run_arm::<V, P>),
        ..BASE
    };
}

impl<T: Value> Of<T> {
    const JOIN: &'static TaskDef = &TaskDef {
        id: "join",
        doc: "The value of a branch: that of the arm that was taken.",
        inputs: &[InputDef { name: "arms", ty: TypeInfo::of::<T>() }],
        output: TypeInfo::of_value::<T>(),
        body: Body::Sync(pass_on),
        ..BASE
    };
    const PASS: &'static TaskDef = &TaskDef {
        id: "pass",
        doc: "Passes a value on that an arm of a branch gives and does not make.",
        inputs: &[InputDef { name: "value", ty: TypeInfo::of::<T>() }],
        output: TypeInfo::of_value::<T>(),
        body: Body::Sync(pass_on),
        ..BASE
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
        Some(payload) => Ok(Arc::new(payload)),
        None => Err(Box::new(Interrupt::skip(case.not_taken.reason(chosen, case.labels)))),
    }
}

/// The value as it is, whatever its type.
fn pass_on(inputs: &mut Inputs, _: Option<&TaskContext>) -> Produced {
    Ok(inputs.erased(0))
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
