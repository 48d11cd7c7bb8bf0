//! Generates the code of a task. Cannot fail.

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::ReturnType;
use syn::ext::IdentExt;
use syn::spanned::Spanned;

use super::model::{Expansion, Kind, Param, Passing, Return, Task};
use crate::{crate_path, errors, spans};

pub(super) fn expand(task: &Task) -> TokenStream {
    match task.expansion {
        Expansion::Full => {
            let namespace = namespace(task, Some(&definition(task)));
            [namespace, signature(task), callable(task, &add_node(task)), registration(task)].into_iter().collect()
        }
        Expansion::Placeholder => [namespace(task, None), callable(task, &errors::placeholder())].into_iter().collect(),
        Expansion::Unchanged => {
            let (attrs, vis, sig, body) = (&task.attrs, &task.vis, &task.sig, &task.body);
            let (docs, shared, callable, own) = (&attrs.docs, &attrs.shared, &attrs.callable, &attrs.body);
            quote!(#(#docs)* #(#shared)* #(#callable)* #(#own)* #vis #sig #body)
        }
    }
}

/// Allows the lints that generated items may trigger in the user's crate.
pub(crate) fn allow_lints() -> TokenStream {
    quote! {
        #[allow(
            non_camel_case_types,
            missing_docs,
            missing_debug_implementations,
            unreachable_pub,
            unused_qualifications,
            clippy::all,
            clippy::pedantic,
            clippy::restriction
        )]
    }
}

/// The struct with the function as written, as `call`, and the definition.
fn namespace(task: &Task, definition: Option<&TokenStream>) -> TokenStream {
    let (docs, shared, own) = (&task.attrs.docs, &task.attrs.shared, &task.attrs.body);
    let (vis, body, allow_lints) = (&task.vis, &task.body, allow_lints());
    let name = &task.sig.ident;
    let mut sig = task.sig.clone();
    sig.ident = Ident::new("call", name.span());
    let unused = unused(task);
    quote! {
        #(#docs)*
        #(#shared)*
        #allow_lints
        #vis struct #name {}

        #(#shared)*
        impl #name {
            #(#docs)*
            // Lints about missing docs apply to the function that DAGs call; `const` is not
            // possible.
            #[allow(
                missing_docs,
                unreachable_pub,
                clippy::missing_docs_in_private_items,
                clippy::missing_const_for_fn
            )]
            #unused
            #(#own)*
            #vis #sig #body

            #definition
        }
    }
}

/// Suppresses warnings about unused code for a function whose signature is invalid.
fn unused(task: &Task) -> Option<TokenStream> {
    (task.expansion == Expansion::Placeholder).then(|| quote!(#[allow(unused)]))
}

/// The static definition.
fn definition(task: &Task) -> TokenStream {
    let private = crate_path::private(&task.krate);
    // A short path, so that a crate with hundreds of tasks has less to parse and to resolve.
    let p = quote!(__p);
    let (vis, allow_lints) = (&task.vis, allow_lints());
    let (id, doc) = (&task.id, &task.doc);
    let name = &task.sig.ident;
    let isolated = task.options.isolation.is_some();
    let inputs = task.inputs().map(|input| {
        let (name, ty) = (input.name.unraw().to_string(), &input.ty);
        // An isolated task needs inputs that can be serialized: `of_value`. With `of_input` they
        // can be only if the feature `spark` is enabled, for executors.
        let of = if isolated { quote!(of_value) } else { quote!(of_input) };
        quote!(#p::InputDef { name: #name, ty: #p::TypeInfo::#of::<#ty>() })
    });
    let output = output(task, &p);
    let options = task.options.task_options(&p);
    let takes_context = task.params.iter().any(|param| matches!(param, Param::Context));
    let kind = match task.kind {
        Kind::Sync => quote!(Sync),
        Kind::Blocking => quote!(Blocking),
        Kind::Async => quote!(Async),
    };
    let isolation = isolation(task, &p);
    let waiting = match &task.options.deferrable {
        _ if task.is_sensor => quote!(Sensor),
        Some(deferrable) if deferrable.value => quote!(Deferrable),
        _ => quote!(Never),
    };
    let produces = produces(task, &output, &p);
    let shim = shim(task, &p);
    let location = location(name, &p);
    quote! {
        #[doc(hidden)]
        #allow_lints
        #vis fn def() -> &'static #private::TaskDef {
            use #private as __p;
            static __DEF: #p::TaskDef = #p::TaskDef {
                id: #id,
                module: ::core::module_path!(),
                doc: #doc,
                location: #location,
                inputs: &[#(#inputs),*],
                output: #p::TypeInfo::of_value::<#output>(),
                options: #options,
                takes_context: #takes_context,
                kind: #p::Kind::#kind,
                isolation: #isolation,
                waiting: #p::Waiting::#waiting,
                produces: #produces,
                body: #shim,
            };
            &__DEF
        }
    }
}

/// The asset that the value is an event of.
fn produces(task: &Task, output: &TokenStream, p: &TokenStream) -> TokenStream {
    let Some(asset) = &task.options.produces else { return quote!(::core::option::Option::None) };
    let on_change = task.options.on_change.as_ref().is_some_and(|on_change| on_change.value);
    // Spanned at the asset, so that the compiler reports one of another type there.
    let at = spans::at(asset.span(), p);
    let new = quote_spanned!(asset.span()=> #at::Production::new::<#output, _>(#asset, #on_change));
    quote!(::core::option::Option::Some(#new))
}

/// The types of the task, for stubs.
fn signature(task: &Task) -> TokenStream {
    let p = crate_path::private(&task.krate);
    let (name, shared) = (&task.sig.ident, &task.attrs.shared);
    let inputs = task.inputs().map(|input| &input.ty);
    let output = output(task, &p);
    quote! {
        #(#shared)*
        #[allow(unused_qualifications)]
        impl #p::TaskFn for #name {
            type Args = (#(#inputs,)*);
            type Output = #output;
            fn definition() -> &'static #p::TaskDef {
                #name::def()
            }
        }
    }
}

/// The location of the name. That of the attribute may be lines above.
pub(crate) fn location(name: &Ident, p: &TokenStream) -> TokenStream {
    let (file, line, column) = (
        quote_spanned!(name.span()=> ::core::file!()),
        quote_spanned!(name.span()=> ::core::line!()),
        quote_spanned!(name.span()=> ::core::column!()),
    );
    quote!(#p::SourceLocation { file: #file, line: #line, column: #column })
}

fn isolation(task: &Task, p: &TokenStream) -> TokenStream {
    if task.options.isolation.is_none() {
        return quote!(::core::option::Option::None);
    }
    let memory = match &task.options.memory {
        Some(memory) => {
            let bytes = memory.value;
            quote!(::core::option::Option::Some(#bytes))
        }
        None => quote!(::core::option::Option::None),
    };
    quote!(::core::option::Option::Some(#p::Isolation { memory: #memory }))
}

fn output(task: &Task, p: &TokenStream) -> TokenStream {
    match &task.output {
        Return::Nothing => quote!(()),
        Return::Plain(ty) | Return::Result { ok: ty, .. } => ty.to_token_stream(),
        Return::Alias(ty) => quote!(<#ty as #p::TaskResult>::Ok),
    }
}

/// The type-erased body: downcasts the inputs, calls the function, and erases the result.
fn shim(task: &Task, p: &TokenStream) -> TokenStream {
    let name = &task.sig.ident;
    let is_async = task.kind == Kind::Async;
    let (inputs, context) = (format_ident!("__inputs"), format_ident!("__context"));
    let passed = if is_async { quote!(&mut #inputs) } else { quote!(#inputs) };
    let mut index = 0usize;
    let arguments = task.params.iter().map(|param| match param {
        Param::Input(input) => {
            let (ty, position) = (&input.ty, index);
            index += 1;
            match input.passing {
                Passing::Value => quote!(#p::owned::<#ty>(#passed, #position)),
                Passing::Reference => quote!(&*#p::shared::<#ty>(#passed, #position)),
            }
        }
        // The engine passes the context to every task with `takes_context`.
        Param::Context | Param::Invalid(_) if is_async => {
            quote!(#context.as_ref().expect("the engine passes the context to a task that takes it"))
        }
        Param::Context | Param::Invalid(_) => {
            quote!(#context.expect("the engine passes the context to a task that takes it"))
        }
    });
    let arguments: Vec<_> = arguments.collect();
    // Spanned at the return type, so that the compiler reports a result of the wrong type there.
    let span = match &task.sig.output {
        ReturnType::Default => name.span(),
        ReturnType::Type(_, ty) => ty.span(),
    };
    let mut called = name.clone();
    called.set_span(name.span().located_at(span));
    let await_it = is_async.then(|| quote_spanned!(span=> .await));
    let result = quote_spanned!(span=> #called::call(#(#arguments),*) #await_it);
    let at = spans::at(span, p);
    let produced = match &task.output {
        Return::Plain(ty) if task.is_sensor => quote_spanned!(span=> #at::produce_sensed::<#ty>(#result)),
        Return::Result { ok, err } if task.is_sensor => {
            let err = err.as_ref().map_or_else(|| quote!(_), ToTokens::to_token_stream);
            quote_spanned!(span=> #at::produce_sensed_result::<#ok, #err, _>(#result))
        }
        Return::Nothing => quote!({ #result; #p::produce(()) }),
        Return::Plain(ty) => quote_spanned!(span=> #at::produce::<#ty>(#result)),
        Return::Result { ok, err } => {
            let err = err.as_ref().map_or_else(|| quote!(_), ToTokens::to_token_stream);
            match &task.options.retry_on {
                Some(retry_on) => quote_spanned!(span=> #at::produce_judged::<#ok, #err, _, _>(#result, #retry_on)),
                None => quote_spanned!(span=> #at::produce_result::<#ok, #err, _>(#result)),
            }
        }
        Return::Alias(ty) => {
            let parts = quote!(<#ty as #at::TaskResult>);
            match &task.options.retry_on {
                Some(retry_on) => {
                    quote_spanned!(span=> #at::produce_judged::<#parts::Ok, #parts::Err, _, _>(#result, #retry_on))
                }
                None => quote_spanned!(span=> #at::produce_result::<#parts::Ok, #parts::Err, _>(#result)),
            }
        }
    };
    if is_async {
        let boxed = spans::at(name.span(), &quote!(#p::boxed));
        let future = quote_spanned!(name.span()=> async move { #produced });
        let boxed = quote_spanned!(name.span()=> #boxed(#future));
        quote!(#p::Body::Async(|#[allow(unused_mut)] mut #inputs, #context| #boxed))
    } else {
        quote!(#p::Body::Sync(|#inputs, #context| #produced))
    }
}

/// The function that DAGs call, which adds a node to the graph.
fn callable(task: &Task, body: &TokenStream) -> TokenStream {
    let krate = &task.krate;
    let p = crate_path::private(krate);
    let (docs, shared, callable, vis) = (&task.attrs.docs, &task.attrs.shared, &task.attrs.callable, &task.vis);
    let name = &task.sig.ident;
    let params = task.params.iter().filter_map(|param| match param {
        Param::Input(input) => {
            let (name, ty) = (&input.name, &input.ty);
            // Spanned at the type, so that the compiler shows it beside a wrong argument.
            let p = spans::at(ty.span(), &p);
            Some(quote_spanned!(ty.span()=> #name: impl #p::IntoArg<#ty>))
        }
        Param::Invalid(name) => Some(quote!(#name: impl ::core::marker::Sized)),
        Param::Context => None,
    });
    let output = output(task, &p);
    let unused = unused(task);
    quote! {
        #(#docs)*
        #(#shared)*
        #(#callable)*
        #unused
        #[allow(unused_qualifications, clippy::all, clippy::pedantic, clippy::restriction)]
        #[track_caller]
        #vis fn #name(#(#params),*) -> #krate::Output<#output> {
            #body
        }
    }
}

fn add_node(task: &Task) -> TokenStream {
    let p = crate_path::private(&task.krate);
    let name = &task.sig.ident;
    let arguments = task.inputs().map(|input| {
        let (name, ty) = (&input.name, &input.ty);
        quote!(#p::IntoArg::<#ty>::into_arg(#name))
    });
    quote!(#p::add_task(#name::def(), [#(#arguments),*]))
}

fn registration(task: &Task) -> TokenStream {
    let (p, name) = (crate_path::private(&task.krate), &task.sig.ident);
    quote! {
        #p::inventory::submit! { #p::TaskEntry(#name::def) }
    }
}
