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

/// The icon of the tab.
pub(crate) static ICON: LazyLock<Asset> =
    LazyLock::new(|| asset("icon.svg", "image/svg+xml", include_bytes!("static/icon.svg")));

/// Every static file.
pub(crate) fn assets() -> [&'static Asset; 2] {
    [&CSS, &ICON]
}

fn asset(name: &str, media_type: &'static str, content: &'static [u8]) -> Asset {
    let hash = Sha256::digest(content);
    let hash: String = hash.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    Asset { address: format!("/static/{hash}/{name}"), media_type, content }
}
