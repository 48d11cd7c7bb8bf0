//! A type with the attributes of serde that decide how it is written.

use syn::meta::ParseNestedMeta;
use syn::{Attribute, Data, DeriveInput, Error, Expr, Fields, Generics, Ident, LitStr, Result, Type, token};

use super::text::{about, snake_case};

/// A type.
pub(super) struct Model {
    pub(super) ident: Ident,
    pub(super) generics: Generics,
    /// Its name in the document.
    pub(super) name: String,
    pub(super) about: String,
    pub(super) kind: Kind,
}

/// How it is written.
pub(super) enum Kind {
    /// An object.
    Struct(Members),
    /// As its only member.
    Transparent(Box<Type>),
    /// One of several.
    Enum { tagging: Tagging, cases: Vec<Case> },
}

/// How a document says which case it is.
#[derive(Default)]
pub(super) enum Tagging {
    /// The name of the case is its only member.
    #[default]
    Name,
    /// This member says it.
    Member(String),
    /// Its other members show it.
    Nothing,
}

/// The members of an object.
#[derive(Default)]
pub(super) struct Members {
    pub(super) named: Vec<Member>,
    /// Types whose members are written among the others.
    pub(super) flattened: Vec<Type>,
}

pub(super) struct Member {
    pub(super) name: String,
    pub(super) about: String,
    pub(super) ty: Type,
    /// Whether it is always written.
    pub(super) is_required: bool,
}

/// A variant.
pub(super) struct Case {
    pub(super) ident: Ident,
    pub(super) word: String,
    pub(super) content: Content,
}

/// What a variant holds.
pub(super) enum Content {
    Nothing,
    Value(Box<Type>),
    Members(Members),
}

impl Model {
    pub(super) fn read(item: DeriveInput) -> Result<Self> {
        let options = Options::read(&item.attrs)?;
        let kind = match item.data {
            Data::Struct(data) => match data.fields {
                Fields::Named(fields) if options.transparent => {
                    let field = fields.named.into_iter().next();
                    let field = field.ok_or_else(|| Error::new_spanned(&item.ident, "it has no member"))?;
                    Kind::Transparent(Box::new(field.ty))
                }
                fields => Kind::Struct(Members::read(fields)?),
            },
            Data::Enum(data) => {
                let cases = data.variants.into_iter().map(|variant| {
                    let word = match (&*options.rename_all, &options.tagging) {
                        ("snake_case", _) | (_, Tagging::Nothing) => snake_case(&variant.ident.to_string()),
                        _ => return Err(Error::new_spanned(variant.ident, "only `snake_case` is known here")),
                    };
                    let content = match variant.fields {
                        Fields::Unit => Content::Nothing,
                        Fields::Unnamed(fields) if fields.unnamed.len() == 1 => {
                            let field = fields.unnamed.into_iter().next();
                            field.map_or(Content::Nothing, |field| Content::Value(Box::new(field.ty)))
                        }
                        fields => Content::Members(Members::read(fields)?),
                    };
                    Ok(Case { ident: variant.ident, word, content })
                });
                let cases = cases.collect::<Result<_>>()?;
                Kind::Enum { tagging: options.tagging, cases }
            }
            Data::Union(_) => return Err(Error::new_spanned(item.ident, "a union has no schema")),
        };
        let name = options.name.unwrap_or_else(|| item.ident.to_string());
        Ok(Model { about: about(&item.attrs), ident: item.ident, generics: item.generics, name, kind })
    }
}

impl Members {
    fn read(fields: Fields) -> Result<Self> {
        let mut members = Members::default();
        for field in fields {
            let options = Options::read(&field.attrs)?;
            let Some(ident) = &field.ident else {
                return Err(Error::new_spanned(&field.ty, "members need names"));
            };
            let named = ident.to_string();
            if options.skip {
                continue;
            }
            if options.written_by_hand && options.stands_for.is_none() {
                return Err(Error::new_spanned(ident, "`#[schema(as = \"Type\")]` says what is written here"));
            }
            let ty = options.stands_for.unwrap_or(field.ty);
            if options.flatten {
                members.flattened.push(ty);
                continue;
            }
            members.named.push(Member {
                name: options.rename.unwrap_or_else(|| named.trim_start_matches("r#").to_owned()),
                about: about(&field.attrs),
                ty,
                is_required: !options.may_be_left_out,
            });
        }
        Ok(members)
    }
}

/// The attributes of a type, a variant or a member.
#[derive(Default)]
struct Options {
    skip: bool,
    flatten: bool,
    transparent: bool,
    may_be_left_out: bool,
    written_by_hand: bool,
    rename: Option<String>,
    rename_all: String,
    tagging: Tagging,
    name: Option<String>,
    stands_for: Option<Type>,
}

impl Options {
    fn read(attrs: &[Attribute]) -> Result<Self> {
        let mut options = Options::default();
        for attr in attrs {
            if attr.path().is_ident("serde") {
                attr.parse_nested_meta(|meta| options.serde(&meta))?;
            } else if attr.path().is_ident("schema") {
                attr.parse_nested_meta(|meta| options.schema(&meta))?;
            }
        }
        Ok(options)
    }

    fn serde(&mut self, meta: &ParseNestedMeta<'_>) -> Result<()> {
        let name = meta.path.get_ident().map(ToString::to_string).unwrap_or_default();
        match &*name {
            "skip" | "skip_serializing" => self.skip = true,
            "flatten" => self.flatten = true,
            "transparent" => self.transparent = true,
            "rename" => self.rename = Some(text(meta)?),
            "rename_all" => self.rename_all = text(meta)?,
            "tag" => self.tagging = Tagging::Member(text(meta)?),
            "untagged" => self.tagging = Tagging::Nothing,
            "skip_serializing_if" => {
                self.may_be_left_out = true;
                text(meta)?;
            }
            "with" | "serialize_with" => {
                self.written_by_hand = true;
                text(meta)?;
            }
            // These are about reading.
            "default" | "alias" | "deserialize_with" => ignore(meta)?,
            _ => return Err(meta.error("`Schema` does not know this attribute")),
        }
        Ok(())
    }

    fn schema(&mut self, meta: &ParseNestedMeta<'_>) -> Result<()> {
        match meta.path.get_ident().map(ToString::to_string).as_deref() {
            Some("name") => self.name = Some(text(meta)?),
            Some("as") => self.stands_for = Some(meta.value()?.parse::<LitStr>()?.parse()?),
            _ => return Err(meta.error("`schema` has `name` and `as`")),
        }
        Ok(())
    }
}

fn text(meta: &ParseNestedMeta<'_>) -> Result<String> {
    Ok(meta.value()?.parse::<LitStr>()?.value())
}

fn ignore(meta: &ParseNestedMeta<'_>) -> Result<()> {
    if meta.input.peek(syn::Token![=]) {
        meta.value()?.parse::<Expr>()?;
    } else if meta.input.peek(token::Paren) {
        return Err(meta.error("`Schema` does not know this attribute"));
    }
    Ok(())
}
