//! The colours of states, from the styles that the browser has computed: they differ for everybody,
//! and stand out from their ground.

use crate::page::Page;
use crate::site::empty;

const FAMILIES: [&str; 6] = ["ok", "bad", "blocked", "run", "other", "wait"];

type Triple = [f64; 3];

/// How eyes without one kind of cones see linear RGB (Machado, Oliveira and Fernandes 2009,
/// severity 1), and the least difference of two families for them.
const EYES: [(&str, [Triple; 3], f64); 4] = [
    ("normal", [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]], 18.0),
    (
        "protan",
        [[0.152_286, 1.052_583, -0.204_868], [0.114_503, 0.786_281, 0.099_216], [-0.003_882, -0.048_116, 1.051_998]],
        18.0,
    ),
    (
        "deutan",
        [[0.367_322, 0.860_646, -0.227_968], [0.280_085, 0.672_501, 0.047_413], [-0.011_820, 0.042_940, 0.968_881]],
        18.0,
    ),
    (
        "tritan",
        [[1.255_528, -0.076_749, -0.178_779], [-0.078_411, 0.930_809, 0.147_602], [0.004_733, 0.691_367, 0.303_900]],
        15.0,
    ),
];

/// Number 28.
#[test]
fn the_families_of_states_differ_for_all_eyes_and_stand_out() {
    let service = empty();
    for theme in ["light", "dark"] {
        let page = Page::new(service.address);
        page.media("prefers-color-scheme", theme);
        page.open("/");
        let colour = |class: &str| {
            let colour = page.eval(&format!(
                "(() => {{ const element = name => document.createElementNS('http://www.w3.org/2000/svg', name); \
                 const mark = element('svg'); mark.setAttribute('class', 'mark {class}'); \
                 mark.append(element('rect')); document.querySelector('main').append(mark); \
                 return getComputedStyle(mark.firstChild).fill; }})()"
            ));
            linear(colour.as_str().expect("a colour"))
        };
        let families = FAMILIES.map(colour);
        let ground = page.eval("getComputedStyle(document.body).backgroundColor");
        let ground = linear(ground.as_str().expect("a colour"));
        for (family, colour) in FAMILIES.iter().zip(families) {
            let contrast = contrast(colour, ground);
            assert!(contrast >= 3.0, "{family} has a contrast of {contrast:.2} in {theme}");
        }
        for (eyes, matrix, least) in EYES {
            let seen = families.map(|colour| lab(multiply(&matrix, colour)));
            for one in 0..seen.len() {
                for other in 0..one {
                    let difference = difference(seen[one], seen[other]);
                    let (one, other) = (FAMILIES[one], FAMILIES[other]);
                    assert!(difference >= least, "{one} and {other}: {difference:.1} in {theme} for {eyes} eyes");
                }
            }
        }
    }
}

#[test]
fn differences_are_those_of_the_published_examples() {
    // Sharma, Wu and Dalal 2005: pairs 1, 7, 17 and 25.
    for (one, other, expected) in [
        ([50.0, 2.6772, -79.7751], [50.0, 0.0, -82.7485], 2.0425),
        ([50.0, 0.0, 0.0], [50.0, -1.0, 2.0], 2.3669),
        ([50.0, 2.5, 0.0], [73.0, 25.0, -18.0], 27.1492),
        ([60.2574, -34.0099, 36.2677], [60.4626, -34.1751, 39.4387], 1.2644),
    ] {
        let found = difference(one, other);
        assert!((found - expected).abs() < 1e-4, "{one:?} {other:?}: {found}");
    }
}

/// `rgb(1, 2, 3)` as linear light.
fn linear(colour: &str) -> Triple {
    let numbers = colour.trim_start_matches("rgb(").trim_end_matches(')');
    let mut parts = numbers.split(',').map(|part| {
        let value = part.trim().parse::<f64>().unwrap_or_else(|_| panic!("`{colour}` is no opaque colour")) / 255.0;
        if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    });
    std::array::from_fn(|_| parts.next().expect("three parts"))
}

fn multiply(matrix: &[Triple; 3], [r, g, b]: Triple) -> Triple {
    matrix.map(|row| (row[0] * r + row[1] * g + row[2] * b).clamp(0.0, 1.0))
}

/// As WCAG defines it.
fn contrast(one: Triple, other: Triple) -> f64 {
    let light = |[r, g, b]: Triple| 0.2126 * r + 0.7152 * g + 0.0722 * b + 0.05;
    let (one, other) = (light(one), light(other));
    one.max(other) / one.min(other)
}

/// CIELAB for the white of sRGB.
fn lab(colour: Triple) -> Triple {
    let to_xyz =
        [[0.412_456, 0.357_576, 0.180_437], [0.212_673, 0.715_152, 0.072_175], [0.019_334, 0.119_192, 0.950_304]];
    let [x, y, z] = to_xyz.map(|row: Triple| row[0] * colour[0] + row[1] * colour[1] + row[2] * colour[2]);
    let f = |t: f64| if t > 216.0 / 24389.0 { t.cbrt() } else { (24389.0 / 27.0 * t + 16.0) / 116.0 };
    let (x, y, z) = (f(x / 0.950_47), f(y), f(z / 1.088_83));
    [116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)]
}

/// The difference of two colours after CIEDE2000.
fn difference([l1, a1, b1]: Triple, [l2, a2, b2]: Triple) -> f64 {
    let c7 = f64::midpoint(a1.hypot(b1), a2.hypot(b2)).powi(7);
    let g = 0.5 * (1.0 - (c7 / (c7 + 25_f64.powi(7))).sqrt());
    let (a1, a2) = (a1 * (1.0 + g), a2 * (1.0 + g));
    let (c1, c2) = (a1.hypot(b1), a2.hypot(b2));
    let hue = |a: f64, b: f64| if a == 0.0 && b == 0.0 { 0.0 } else { b.atan2(a).to_degrees().rem_euclid(360.0) };
    let (h1, h2) = (hue(a1, b1), hue(a2, b2));
    let is_grey = c1 * c2 == 0.0;
    let turn = match h2 - h1 {
        _ if is_grey => 0.0,
        turn if turn > 180.0 => turn - 360.0,
        turn if turn < -180.0 => turn + 360.0,
        turn => turn,
    };
    let (dl, dc) = (l2 - l1, c2 - c1);
    let dh = 2.0 * (c1 * c2).sqrt() * (turn / 2.0).to_radians().sin();
    let (l, c) = (f64::midpoint(l1, l2), f64::midpoint(c1, c2));
    let h = match h1 + h2 {
        sum if is_grey => sum,
        sum if (h1 - h2).abs() <= 180.0 => sum / 2.0,
        sum if sum < 360.0 => (sum + 360.0) / 2.0,
        sum => (sum - 360.0) / 2.0,
    };
    let cos = |degrees: f64| degrees.to_radians().cos();
    let t = 1.0 - 0.17 * cos(h - 30.0) + 0.24 * cos(2.0 * h) + 0.32 * cos(3.0 * h + 6.0) - 0.20 * cos(4.0 * h - 63.0);
    let sl = 1.0 + 0.015 * (l - 50.0).powi(2) / (20.0 + (l - 50.0).powi(2)).sqrt();
    let (sc, sh) = (1.0 + 0.045 * c, 1.0 + 0.015 * c * t);
    let c7 = c.powi(7);
    let angle = 60.0 * (-((h - 275.0) / 25.0).powi(2)).exp();
    let rt = -2.0 * (c7 / (c7 + 25_f64.powi(7))).sqrt() * angle.to_radians().sin();
    let (l, c, h) = (dl / sl, dc / sc, dh / sh);
    (l * l + c * c + h * h + rt * c * h).sqrt()
}
