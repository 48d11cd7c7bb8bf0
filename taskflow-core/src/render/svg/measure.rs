//! How wide a text will be, without a font at hand.
//!
//! The page's font is not known when the drawing is made, so that the widths are those of the
//! widest of the usual sans-serif faces, which Linux has as its default: what fits in it fits in
//! Helvetica, Segoe UI or Roboto too.

/// The sizes of the letters.
pub(super) const NORMAL: i64 = 13;
pub(super) const SMALL: i64 = 11;
pub(super) const TINY: i64 = 10;

/// The widths of the characters from space to `~`, in thousandths of the size.
const WIDTHS: [u16; 95] = [
    318, 401, 460, 838, 636, 950, 780, 275, 390, 390, 500, 838, 318, 361, 318, 337, 636, 636, 636, 636, 636, 636, 636,
    636, 636, 636, 337, 337, 838, 838, 838, 531, 1000, 684, 686, 698, 770, 632, 575, 775, 752, 295, 295, 656, 557, 863,
    748, 787, 603, 787, 695, 635, 611, 732, 684, 989, 685, 611, 685, 390, 337, 390, 838, 500, 500, 613, 635, 550, 635,
    615, 352, 635, 634, 278, 278, 579, 278, 974, 634, 612, 635, 635, 411, 521, 392, 634, 592, 818, 592, 592, 525, 636,
    337, 636, 838,
];

fn thousandths(character: char) -> i64 {
    let code = u32::from(character);
    let known = code.checked_sub(32).and_then(|at| WIDTHS.get(at as usize));
    match known {
        Some(width) => i64::from(*width),
        // Combining marks, and what shows nothing.
        None if matches!(code, 0x300..=0x36f | 0x200b..=0x200f | 0xfe00..=0xfe0f) || character.is_control() => 0,
        // Korean, Chinese, Japanese, their full-width forms, pictographs.
        None if matches!(code, 0x1100..=0x11ff | 0x2e80..=0xa4cf | 0xac00..=0xd7ff | 0xf900..=0xfaff | 0xff00..=0xffef | 0x1f000..) => {
            1050
        }
        None => 700,
    }
}

/// The width of a text in letters of a size, rounded up.
pub(super) fn width(text: &str, size: i64) -> i64 {
    let sum: i64 = text.chars().map(thousandths).sum();
    (sum * size + 999) / 1000
}

/// The text, or as much of it as is at most `limit` wide with an ellipsis behind it.
pub(super) fn cut(text: &str, size: i64, limit: i64) -> String {
    if width(text, size) <= limit {
        return text.to_owned();
    }
    let room = limit * 1000 / size - thousandths('\u{2026}').max(1000);
    let mut used = 0;
    let kept = text.chars().take_while(|character| {
        used += thousandths(*character);
        used <= room
    });
    let kept: String = kept.collect();
    format!("{}\u{2026}", kept.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn truncated_text_fits() {
        assert_eq!(cut("extract", NORMAL, 100), "extract");
        let long = cut("a_task_with_a_name_that_does_not_fit", NORMAL, 100);
        assert!(long.ends_with('\u{2026}') && long.starts_with("a_task_"), "{long}");
        assert!(width(&long, NORMAL) <= 100);
        assert_eq!(cut("anything", NORMAL, 0), "\u{2026}");
    }

    #[test]
    fn wide_scripts_are_wide() {
        assert!(width("\u{d55c}\u{ad6d}\u{c5b4}", NORMAL) > width("abc", NORMAL));
    }
}
