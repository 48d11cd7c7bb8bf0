//! Pictures of a [`Plan`]: what `taskflow show` prints and the web pages draw.
//!
//! 1. [`View`] is the plan as plain data: names instead of indices, only what differs from the
//!    defaults, every edge once.
//! 2. Each format reads the view and nothing else: `tree` for terminals, `dot` and `mermaid` for
//!    other programs, `json` for scripts, `svg` for pages and documents.
//! 3. The private module `palette` maps states to colours and glyphs. `svg`, the command line and
//!    pages read it.
//! 4. The private module `layout` knows nothing of tasks: it places boxes on a plane so that the
//!    edges between them can be followed. Only `svg` needs it.
//!
//! 5. The private module `part` makes a smaller view of a large one, for pages.
//!
//! No format fails, on no plan: where a graph is too large to be drawn well it is drawn plainly.
//!
//! ```
//! use taskflow_core::render::Format;
//!
//! assert_eq!("mermaid".parse(), Ok(Format::Mermaid));
//! ```

mod dot;
mod facts;
mod json;
mod layout;
mod mermaid;
mod nest;
pub(crate) mod palette;
#[cfg(feature = "server")]
pub(crate) mod part;
mod svg;
mod text;
mod topo;
mod tree;
mod view;

use std::fmt;
use std::str::FromStr;

use crate::base::nearest;
use crate::dag::Plan;

pub use self::palette::STATES;
pub use self::svg::{SvgOptions, svg, svg_style_sheet};
pub use self::view::{
    ArgValue, ArgView, ClusterKind, ClusterView, EdgeView, Endpoint, GroupView, Link, NodeView, OptionList, ParamView,
    Ref, ResultView, View,
};

/// What a plan can be shown as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Format {
    /// Lines for a terminal: each task once, below its first upstream.
    Tree,
    /// The language of Graphviz.
    Dot,
    /// A flowchart in the language of Mermaid, which many Markdown pages draw.
    Mermaid,
    /// The [`View`] as JSON.
    Json,
    /// A drawing that needs no other program.
    Svg,
}

impl Format {
    /// Every format.
    pub const ALL: [Format; 5] = [Format::Tree, Format::Dot, Format::Mermaid, Format::Json, Format::Svg];

    /// `tree`, `dot`, `mermaid`, `json` or `svg`.
    pub const fn name(self) -> &'static str {
        match self {
            Format::Tree => "tree",
            Format::Dot => "dot",
            Format::Mermaid => "mermaid",
            Format::Json => "json",
            Format::Svg => "svg",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(name: &str) -> Result<Self, UnknownFormat> {
        let found = Format::ALL.into_iter().find(|format| format.name() == name);
        found.ok_or_else(|| UnknownFormat { name: name.to_owned() })
    }
}

/// A name that no [`Format`] has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownFormat {
    name: String,
}

impl fmt::Display for UnknownFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = Format::ALL.map(Format::name);
        write!(f, "`{}` is not a format; the formats are {}", self.name, names.join(", "))?;
        match nearest(&self.name, names) {
            Some(name) => write!(f, " (did you mean `{name}`?)"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for UnknownFormat {}

/// The plan in a format, ending with a line break. The same plan always has the same text.
pub fn render(plan: &Plan, format: Format) -> String {
    let view = View::of(plan);
    match format {
        Format::Tree => tree::tree(&view),
        Format::Dot => dot::dot(&view),
        Format::Mermaid => mermaid::mermaid(&view),
        Format::Json => json::json(&view),
        Format::Svg => svg(&view, &SvgOptions::default()),
    }
}
