//! The overview of a grid: all its cells as one small image, as lengths of equal states.
//!
//! Where there are more rows than pixels, several share one, and the worst state wins. So a failure
//! is seen however large the grid is.

use std::fmt::Write as _;

use super::grid::Families;
use crate::render::palette::FAMILIES;

/// The width of a column, and the most rows of pixels.
const WIDTH: usize = 5;
const HEIGHT: usize = 480;
/// From the worst family to the best.
const WORST: [&str; 6] = ["bad", "blocked", "run", "wait", "other", "ok"];

/// The image of these families, by row and column.
pub(super) fn overview(cells: &Families) -> String {
    let columns = cells.first().map_or(0, Vec::len);
    let rows = cells.len().min(HEIGHT);
    let height = if rows > 0 && rows < HEIGHT { HEIGHT / rows.max(1) } else { 1 }.min(10);
    let (width, total) = (columns * WIDTH, rows * height);
    let mut paths: [String; 6] = Default::default();
    for column in 0..columns {
        let mut start: Option<(usize, usize)> = None;
        for row in 0..=rows {
            // The rows of the grid that share this row of pixels.
            let shared = row * cells.len() / rows.max(1)..(row + 1) * cells.len() / rows.max(1);
            let families = cells.get(shared).unwrap_or_default().iter().filter_map(|row| row.get(column).copied()?);
            let place = |family: &str| WORST.iter().position(|known| *known == family);
            let worst = if row < rows { families.filter_map(place).min() } else { None };
            if let Some((family, from)) = start.filter(|&(family, _)| Some(family) != worst) {
                let (x, y, length) = (column * WIDTH, from * height, (row - from) * height);
                // Writing to a string does not fail.
                let _ = write!(paths[family], "M{x} {y}h{}v{length}h-{}z", WIDTH - 1, WIDTH - 1);
                start = None;
            }
            start = start.or(worst.map(|family| (family, row)));
        }
    }
    let mut image = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {total}\" width=\"{width}\" height=\"{total}\"><style>"
    );
    let colours = |image: &mut String, is_dark: bool| {
        for family in FAMILIES {
            let colour = if is_dark { family.dark } else { family.light };
            let _ = write!(image, ".{}{{fill:{colour}}}", family.name);
        }
    };
    colours(&mut image, false);
    image += "@media (prefers-color-scheme:dark){";
    colours(&mut image, true);
    image += "}</style>";
    for (family, path) in WORST.iter().zip(&paths).filter(|(_, path)| !path.is_empty()) {
        let _ = write!(image, "<path class=\"{family}\" d=\"{path}\"/>");
    }
    image += "</svg>";
    image
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_states_are_one_length() {
        let cells = vec![vec![Some("ok"), None]; 3];
        let image = overview(&cells);
        assert_eq!(image.matches("<path").count(), 1, "{image}");
        assert_eq!(image.matches('M').count(), 1, "{image}");
    }

    #[test]
    fn a_failure_is_seen_among_many_rows() {
        let mut cells = vec![vec![Some("ok")]; 50_000];
        cells[33_333][0] = Some("bad");
        let image = overview(&cells);
        assert!(image.contains("class=\"bad\" d=\"M0 320h4v1h-4z\""), "{image}");
        assert!(image.len() < 2_000, "{}", image.len());
        assert_eq!(overview(&Vec::new()).matches("<path").count(), 0);
    }
}
