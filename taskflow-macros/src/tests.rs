//! What the attributes expand to. The messages for wrong programs are under `tests/ui` of the workspace.

use insta::assert_snapshot;
use proc_macro2::TokenStream;
use quote::quote;

fn pretty(expansion: TokenStream) -> String {
    let file = syn::parse2(expansion).expect("an expansion is a list of items");
    prettyplease::unparse(&file)
}

#[test]
fn a_sync_task() {
    let expansion = crate::task::expand(
        quote!(),
        quote! {
            /// Adds up.
            pub fn total(numbers: &[u32], mut start: u32) -> u32 {
                start += numbers.iter().sum::<u32>();
                start
            }
        },
    );
    assert_snapshot!(pretty(expansion));
}

#[test]
fn an_async_task_with_everything() {
    let expansion = crate::task::expand(
        quote!(
            id = "extract.day",
            retries = 3,
            retry_delay = "1m 500ms",
            backoff = 1.5,
            pool = "warehouse",
            trigger_rule = "all_done",
            tags = ["io"]
        ),
        quote! {
            #[tracing::instrument]
            #[allow(dead_code)]
            pub(crate) async fn extract(day: Date, ctx: &TaskContext, path: &str) -> Result<Vec<Row>, Error> {
                read(day, path).await
            }
        },
    );
    assert_snapshot!(pretty(expansion));
}

#[test]
fn a_dag() {
    let expansion = crate::dag::expand(
        quote!(schedule = "@daily", default(retries = 2)),
        quote! {
            /// Delays per carrier.
            fn delays(
                #[param(default = |run| run.data_interval().start_date())] day: Date,
                #[param(default = 15, range = 0..=600, help = "Minutes.")] late: u32,
                #[param(default = "eu", choices = ["eu", "us"])] region: String,
            ) -> u64 {
                load(extract(day, region), late)
            }
        },
    );
    assert_snapshot!(pretty(expansion));
}

#[test]
fn a_dag_of_nothing() {
    assert_snapshot!(pretty(crate::dag::expand(
        quote!(),
        quote!(
            pub fn empty() {}
        )
    )));
}

#[test]
fn a_wrong_option_leaves_the_task_whole() {
    assert_snapshot!(pretty(crate::task::expand(
        quote!(retires = 3),
        quote!(
            fn work() {}
        )
    )));
}

#[test]
fn a_wrong_signature_leaves_a_stand_in() {
    let item = quote! {
        fn work<T>(x: &mut u32, y: T, z: &str) -> u32 {
            1
        }
    };
    assert_snapshot!(pretty(crate::task::expand(quote!(), item)));
}

#[test]
fn what_is_no_function_stays_as_it_is() {
    assert_snapshot!(pretty(crate::task::expand(
        quote!(),
        quote!(
            struct Work;
        )
    )));
}

/// A branch is an expression; the function around it is for the printer.
fn branch(input: TokenStream) -> String {
    let expansion = crate::branch::expand(input);
    pretty(quote!(fn example() { #expansion }))
}

#[test]
fn a_branch() {
    assert_snapshot!(branch(quote! {
        route(order) => {
            Route::Small(order) => load(order),
            Route::Large { rows, parts: many, .. } => {
                let parts = split(rows, many);
                merge(parts)
            }
            Some(Kind::Odd) | None => other(),
            Route::Nothing => {}
            _ => rest(),
        }
    }));
}

#[test]
fn a_branch_with_mistakes_keeps_its_type() {
    assert_snapshot!(branch(quote!(route(order) => { Route::Small(mut order) if order > 3 => load(order) })));
}

#[test]
fn what_is_no_branch_leaves_a_stand_in() {
    assert_snapshot!(branch(quote!(route(order))));
}
