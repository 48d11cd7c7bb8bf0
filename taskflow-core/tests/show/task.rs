//! Tasks without the attribute: what `#[task]` would register, with a body that is never called.

/// `task!(fn clean(flights: Vec<Flight>) -> Vec<Flight>);`, optionally with doc, kind and options.
macro_rules! task {
    (
        $(#[doc = $doc:literal])?
        $(#[kind($kind:ident)])?
        $(#[options($($option:ident = $value:expr),+)])?
        fn $name:ident($($arg:ident: $ty:ty),*) -> $out:ty
    ) => {
        #[track_caller]
        pub(crate) fn $name($($arg: impl taskflow_core::dag::IntoArg<$ty>),*) -> taskflow_core::dag::Output<$out> {
            use taskflow_core::private::{Body, Kind, SourceLocation, TaskDef, TaskOptions, TypeInfo};
            #[allow(unused_mut, unused_assignments, reason = "set only where the macro is given one")]
            const OPTIONS: TaskOptions = {
                let mut options = TaskOptions::NONE;
                $($(options.$option = $value;)+)?
                options
            };
            #[allow(unused_mut, unused_assignments, reason = "set only where the macro is given one")]
            const KIND: Kind = {
                let mut kind = Kind::Sync;
                $(kind = Kind::$kind;)?
                kind
            };
            static DEF: TaskDef = TaskDef {
                id: stringify!($name),
                module: module_path!(),
                doc: concat!($($doc)?),
                location: SourceLocation { file: file!(), line: 1, column: 1 },
                inputs: &[$(taskflow_core::private::InputDef { name: stringify!($arg), ty: TypeInfo::of::<$ty>() }),*],
                output: TypeInfo::of::<$out>(),
                options: OPTIONS,
                takes_context: false,
                isolation: None,
                waiting: taskflow_core::task::Waiting::Never,
                kind: KIND,
                produces: None,
                body: Body::Sync(|_, _| Err("drawn, never run".into())),
            };
            taskflow_core::dag::add_task(&DEF, [$($arg.into_arg()),*])
        }
    };
}

pub(crate) use task;
