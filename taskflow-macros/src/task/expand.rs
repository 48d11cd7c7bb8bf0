//! From the model of a task to code. Nothing can go wrong here.

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::ReturnType;
use syn::ext::IdentExt;
use syn::spanned::Spanned;

use super::model::{Kind, Param, Passing, Return, Shape, Task};
use super::options;
use crate::spans;

pub(super) fn expand(task: &Task) -> TokenStream {
    match task.shape {
        Shape::Sound => {
            let carrier = carrier(task, Some(&definition(task)));
            [carrier, signature(task), face(task, &face_body(task)), registration(task)].into_iter().collect()
        }
        // Never run: it only stands beside a compiler error, so that there is no second one.
        Shape::Broken => [carrier(task, None), face(task, &quote!(::core::unimplemented!()))].into_iter().collect(),
        Shape::Untouched => {
            let (attrs, vis, sig, body) = (&task.attrs, &task.vis, &task.sig, &task.body);
            let (docs, shared, face, own) = (&attrs.docs, &attrs.shared, &attrs.face, &attrs.body);
            quote!(#(#docs)* #(#shared)* #(#face)* #(#own)* #vis #sig #body)
        }
    }
}

/// What generated items may do that the lints of the user's crate might warn of.
pub(crate) fn quiet() -> TokenStream {
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

/// The struct that carries the function as it was written, callable without a DAG, and the definition.
fn carrier(task: &Task, definition: Option<&TokenStream>) -> TokenStream {
    let (docs, shared, own) = (&task.attrs.docs, &task.attrs.shared, &task.attrs.body);
    let (vis, body, quiet) = (&task.vis, &task.body, quiet());
    let name = &task.sig.ident;
    let mut sig = task.sig.clone();
    sig.ident = Ident::new("call", name.span());
    let unused = unused(task);
    quote! {
        #(#docs)*
        #(#shared)*
        #quiet
        #vis struct #name {}

        #(#shared)*
        impl #name {
            #(#docs)*
            // What is said here of a function without docs is said of the face, and it cannot be `const`.
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

/// A function with a mistake in its signature is not blamed for what it does not use.
fn unused(task: &Task) -> Option<TokenStream> {
    (task.shape == Shape::Broken).then(|| quote!(#[allow(unused)]))
}

/// The static definition.
fn definition(task: &Task) -> TokenStream {
    let krate = &task.krate;
    // A short name for the path: a crate with hundreds of tasks has less to parse and to resolve.
    let p = quote!(__p);
    let (vis, quiet) = (&task.vis, quiet());
    let (id, doc) = (&task.id, &task.doc);
    let name = &task.sig.ident;
    let isolated = task.options.isolation.is_some();
    let inputs = task.inputs().map(|input| {
        let (name, ty) = (input.name.unraw().to_string(), &input.ty);
        // Inputs of an isolated task are written down on their way to its process; those of others where they can be on executors.
        let of = if isolated { quote!(of_value) } else { quote!(of_input) };
        quote!(#p::InputDef { name: #name, ty: #p::TypeInfo::#of::<#ty>() })
    });
    let output = output(task, &p);
    let options = options::tokens(&task.options, &p);
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
    let shim = shim(task, &p);
    let location = location(name, &p);
    quote! {
        #[doc(hidden)]
        #quiet
        #vis fn def() -> &'static #krate::__private::TaskDef {
            use #krate::__private as __p;
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
                body: #shim,
            };
            &__DEF
        }
    }
}

/// What the task takes and gives, for stubs.
fn signature(task: &Task) -> TokenStream {
    let krate = &task.krate;
    let p = quote!(#krate::__private);
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

/// The line of the name and not of the attribute, which may stand lines above.
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

/// Takes the inputs out of their erased form, calls the function, erases its result.
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
        // `takes_context` makes the engine pass one.
        Param::Context | Param::Broken(_) if is_async => {
            quote!(#context.as_ref().expect("a task that takes its context is given it"))
        }
        Param::Context | Param::Broken(_) => quote!(#context.expect("a task that takes its context is given it")),
    });
    let arguments: Vec<_> = arguments.collect();
    // At the return type, which is what is wrong when the result does not fit.
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
                Some(judge) => quote_spanned!(span=> #at::produce_judged::<#ok, #err, _, _>(#result, #judge)),
                None => quote_spanned!(span=> #at::produce_result::<#ok, #err, _>(#result)),
            }
        }
        Return::Alias(ty) => {
            let parts = quote!(<#ty as #at::TaskResult>);
            match &task.options.retry_on {
                Some(judge) => {
                    quote_spanned!(span=> #at::produce_judged::<#parts::Ok, #parts::Err, _, _>(#result, #judge))
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

/// The function that DAGs call: it draws a node.
fn face(task: &Task, body: &TokenStream) -> TokenStream {
    let krate = &task.krate;
    let p = quote!(#krate::__private);
    let (docs, shared, face, vis) = (&task.attrs.docs, &task.attrs.shared, &task.attrs.face, &task.vis);
    let name = &task.sig.ident;
    let params = task.params.iter().filter_map(|param| match param {
        Param::Input(input) => {
            let (name, ty) = (&input.name, &input.ty);
            // At the type, so that a wrong argument is shown beside it.
            let p = spans::at(ty.span(), &p);
            Some(quote_spanned!(ty.span()=> #name: impl #p::IntoArg<#ty>))
        }
        Param::Broken(name) => Some(quote!(#name: impl ::core::marker::Sized)),
        Param::Context => None,
    });
    let output = output(task, &p);
    let unused = unused(task);
    quote! {
        #(#docs)*
        #(#shared)*
        #(#face)*
        #unused
        #[allow(unused_qualifications, clippy::all, clippy::pedantic, clippy::restriction)]
        #[track_caller]
        #vis fn #name(#(#params),*) -> #krate::Output<#output> {
            #body
        }
    }
}

fn face_body(task: &Task) -> TokenStream {
    let krate = &task.krate;
    let p = quote!(#krate::__private);
    let name = &task.sig.ident;
    let arguments = task.inputs().map(|input| {
        let (name, ty) = (&input.name, &input.ty);
        quote!(#p::IntoArg::<#ty>::into_arg(#name))
    });
    quote!(#p::add_task(#name::def(), [#(#arguments),*]))
}

fn registration(task: &Task) -> TokenStream {
    let krate = &task.krate;
    let name = &task.sig.ident;
    quote! {
        #krate::__private::inventory::submit! { #krate::__private::TaskEntry(#name::def) }
    }
}
