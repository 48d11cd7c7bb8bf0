//! The assets of the binary.

use super::def::AssetDef;

/// What `asset!` submits.
#[derive(Debug)]
pub struct AssetEntry(pub AssetDef);

inventory::collect!(AssetEntry);

/// The assets that `asset!` declares in the linked crates.
#[derive(Debug)]
pub struct Assets;

impl Assets {
    /// Every asset, sorted by name. Several declarations of the same name are all there.
    pub fn all() -> Vec<AssetDef> {
        let mut assets: Vec<AssetDef> = inventory::iter::<AssetEntry>().map(|entry| entry.0).collect();
        assets.sort_by_key(|asset| (asset.name, asset.location.file, asset.location.line));
        assets
    }

    /// The first declaration of an asset.
    pub fn find(name: &str) -> Option<AssetDef> {
        Assets::all().into_iter().find(|asset| asset.name == name)
    }
}
