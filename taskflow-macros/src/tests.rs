//! Snapshots of expansions. `tests/ui` of the workspace covers the messages for invalid programs.

use insta::assert_snapshot;
use proc_macro2::TokenStream;
use quote::quote;

use crate::crate_path;

/// The expansion as source text. A release does not change it: the name of the module for generated
/// code is without its version.
fn pretty(expansion: &TokenStream) -> String {
    let text = expansion.to_string().replace(&crate_path::private_name(), "__private");
    let file = syn::parse_str(&text).expect("an expansion is a list of items");
    prettyplease::unparse(&file)
}

#[test]
fn generated_code_names_a_module_with_the_version_of_the_macros() {
    let version = [env!("CARGO_PKG_VERSION_MAJOR"), env!("CARGO_PKG_VERSION_MINOR"), env!("CARGO_PKG_VERSION_PATCH")];
    assert!(crate_path::private_name().starts_with(&format!("__private_{}", version.join("_"))));
    let expansions = [
        crate::task::expand(
            quote!(),
            quote!(
                fn work() {}
            ),
        ),
        crate::task::expand(
            quote!(unknown),
            quote!(
                fn work() {}
            ),
        ),
        crate::dag::expand(
            quote!(),
            quote!(
                fn works() {}
            ),
        ),
        crate::dag::expand(
            quote!(unknown),
            quote!(
                fn works() {}
            ),
        ),
        crate::branch::expand(quote!(route(order) => { Route::Small(order) => load(order) })),
    ];
    for expansion in expansions {
        let text = expansion.to_string();
        assert!(text.contains("__private"), "{text}");
        let rest = text.replace(&crate_path::private_name(), "");
        assert!(!rest.contains("__private"), "{text}");
    }
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
    assert_snapshot!(pretty(&expansion));
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
    assert_snapshot!(pretty(&expansion));
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
    assert_snapshot!(pretty(&expansion));
}

#[test]
fn an_empty_dag() {
    assert_snapshot!(pretty(&crate::dag::expand(
        quote!(),
        quote!(
            pub fn empty() {}
        )
    )));
}

#[test]
fn an_invalid_option_keeps_the_task() {
    assert_snapshot!(pretty(&crate::task::expand(
        quote!(retires = 3),
        quote!(
            fn work() {}
        )
    )));
}

#[test]
fn an_invalid_signature_expands_to_a_placeholder() {
    let item = quote! {
        fn work<T>(x: &mut u32, y: T, z: &str) -> u32 {
            1
        }
    };
    assert_snapshot!(pretty(&crate::task::expand(quote!(), item)));
}

#[test]
fn an_item_other_than_a_function_is_unchanged() {
    assert_snapshot!(pretty(&crate::task::expand(
        quote!(),
        quote!(
            struct Work;
        )
    )));
}

/// Wraps the expansion, an expression, in a function for the pretty printer.
fn branch(input: TokenStream) -> String {
    let expansion = crate::branch::expand(input);
    pretty(&quote!(fn example() { #expansion }))
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
fn an_invalid_branch_keeps_its_type() {
    assert_snapshot!(branch(quote!(route(order) => { Route::Small(mut order) if order > 3 => load(order) })));
}

#[test]
fn an_unparsable_branch_expands_to_a_placeholder() {
    assert_snapshot!(branch(quote!(route(order))));
}

/// The expansion of `#[derive(Schema)]` without spaces.
fn schema(item: TokenStream) -> String {
    crate::schema::expand(item).to_string().replace(' ', "")
}

#[test]
fn a_schema_has_what_serde_writes() {
    let text = schema(quote! {
        /// A run, see [`Runs`](crate::Runs).
        ///
        /// More about it.
        #[schema(name = "RunDocument")]
        struct Run<'r> {
            /// The type.
            #[serde(rename = "type")]
            ty: &'r str,
            #[serde(default, skip_serializing_if = "Option::is_none")]
            ended: Option<Timestamp>,
            #[serde(skip)]
            hidden: Hidden,
            #[serde(flatten)]
            info: Info,
            #[schema(as = "BTreeMap<String, u32>")]
            counts: Map<String, Value>,
        }
    });
    for part in [
        r#"name:"RunDocument",about:"Arun,see`Runs`.""#,
        r#"name:"type",about:"Thetype.",is_required:true,shape:<&'rstraswritten::Schema>::shape"#,
        r#"name:"ended",about:"",is_required:false,shape:<Option<Timestamp>aswritten::Schema>::shape"#,
        r#"name:"counts",about:"",is_required:true,shape:<BTreeMap<String,u32>aswritten::Schema>::shape"#,
        "flattened:&[<Infoaswritten::Schema>::shape,]",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains("Hidden"), "{text}");
    let text = schema(quote! {
        #[serde(tag = "state", rename_all = "snake_case")]
        enum Phase {
            UpForRetry,
            Paused { by: String },
            Of(Inner),
        }
    });
    for part in [
        r#"tag:Some("state")"#,
        r#"word:"up_for_retry",members:&[],flattened:&[]"#,
        r#"word:"paused",members:&[written::Member{name:"by""#,
        r#"word:"of",members:&[],flattened:&[<Inneraswritten::Schema>::shape]"#,
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let text = schema(quote! {
        #[serde(rename_all = "snake_case")]
        enum State {
            None,
            Done,
        }
    });
    assert!(text.contains(r#"words:&["none","done"]"#), "{text}");
}

#[test]
fn what_a_schema_would_not_say_is_an_error() {
    for (item, expected) in [
        (
            quote!(
                struct A {
                    #[serde(getter = "x")]
                    a: u32,
                }
            ),
            "does not know this attribute",
        ),
        (
            quote!(
                struct A {
                    #[serde(with = "hex")]
                    a: Vec<u8>,
                }
            ),
            "says what is written here",
        ),
        (
            quote!(
                #[serde(rename_all = "camelCase")]
                enum A {
                    One,
                }
            ),
            "only `snake_case`",
        ),
        (
            quote!(
                struct A(u32);
            ),
            "members need names",
        ),
        (quote!(union A { a: u32 }), "a union has no schema"),
    ] {
        let text = crate::schema::expand(item).to_string();
        assert!(text.contains("compile_error") && text.contains(expected), "{text}");
    }
}
