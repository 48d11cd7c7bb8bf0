//! The static files of the pages, in the binary.

use std::sync::LazyLock;

use sha2::{Digest, Sha256};

/// A static file. Its address changes with its content, so that browsers may keep it for ever.
pub(crate) struct Asset {
    /// The address below the base path, such as `/static/1f2e3d4c5b6a/app.css`.
    pub(crate) address: String,
    /// The value of `Content-Type`.
    pub(crate) media_type: &'static str,
    pub(crate) content: &'static [u8],
}

/// The style sheet.
pub(crate) static CSS: LazyLock<Asset> =
    LazyLock::new(|| asset("app.css", "text/css; charset=utf-8", include_bytes!("static/app.css")));

/// The style sheet of the graphs in pages.
pub(crate) static GRAPH_CSS: LazyLock<Asset> =
    LazyLock::new(|| asset("graph.css", "text/css; charset=utf-8", crate::render::svg_style_sheet().as_bytes()));

/// The script, without its comments and its indentation.
pub(crate) static SCRIPT: LazyLock<Asset> = LazyLock::new(|| {
    static TEXT: LazyLock<String> = LazyLock::new(|| stripped(include_str!("static/app.js")));
    asset("app.js", "text/javascript; charset=utf-8", TEXT.as_bytes())
});

/// A text without the lines that are comments, and without indentation. The script has no text of
/// several lines.
fn stripped(text: &str) -> String {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("//"));
    lines.flat_map(|line| [line, "\n"]).collect()
}

/// The icon of the tab.
pub(crate) static ICON: LazyLock<Asset> =
    LazyLock::new(|| asset("icon.svg", "image/svg+xml", include_bytes!("static/icon.svg")));

/// Every static file.
pub(crate) fn assets() -> [&'static Asset; 4] {
    [&CSS, &GRAPH_CSS, &SCRIPT, &ICON]
}

fn asset(name: &str, media_type: &'static str, content: &'static [u8]) -> Asset {
    let hash = Sha256::digest(content);
    let hash: String = hash.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    Asset { address: format!("/static/{hash}/{name}"), media_type, content }
}
