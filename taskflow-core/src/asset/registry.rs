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

    /// Assets that are declared several times, with different types: their events could not be
    /// read. Each is a sentence.
    #[cfg_attr(not(feature = "testing"), allow(dead_code, reason = "`check_dags` reports them"))]
    pub(crate) fn conflicts() -> Vec<String> {
        conflicts_of(&Assets::all())
    }

    /// The first declaration of an asset.
    pub fn find(name: &str) -> Option<AssetDef> {
        Assets::all().into_iter().find(|asset| asset.name == name)
    }
}

/// The conflicts among declarations that are sorted by name.
fn conflicts_of(assets: &[AssetDef]) -> Vec<String> {
    let types = |asset: &AssetDef| {
        let partition = asset.partition.map(|partition| format!(" by {partition}")).unwrap_or_default();
        format!("{}{partition} ({})", asset.ty.short(), asset.location)
    };
    let differ = |one: &AssetDef, other: &AssetDef| {
        one.name == other.name && (one.ty.path() != other.ty.path() || one.partition != other.partition)
    };
    let pairs = assets.windows(2).filter(|pair| differ(&pair[0], &pair[1]));
    let sentence = |pair: &[AssetDef]| {
        let (one, other) = (types(&pair[0]), types(&pair[1]));
        format!("the asset `{}` is declared with different types: {one} and {other}", pair[0].name)
    };
    pairs.map(sentence).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::asset::{Asset, Day, Partition};
    use crate::base::SourceLocation;
    use crate::value::Value;

    fn asset<T: Value, P: Partition>(name: &'static str, line: u32) -> AssetDef {
        Asset::<T, P>::new(name, "", SourceLocation { file: "dags.rs", line, column: 1 }).def()
    }

    #[test]
    fn assets_of_one_name_have_the_same_types() {
        let assets = [
            asset::<u64, ()>("a", 1),
            asset::<u64, ()>("a", 2),
            asset::<u64, ()>("b", 3),
            asset::<u64, Day>("b", 4),
            asset::<u64, ()>("c", 5),
            asset::<String, ()>("c", 6),
        ];
        let expected = [
            "the asset `b` is declared with different types: u64 (dags.rs:3:1) and u64 by day (dags.rs:4:1)",
            "the asset `c` is declared with different types: u64 (dags.rs:5:1) and String (dags.rs:6:1)",
        ];
        assert_eq!(conflicts_of(&assets), expected);
    }
}
