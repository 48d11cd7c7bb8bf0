//! The states of a task instance and their colours.

/// A state with its colour on light and on dark ground. Both keep a contrast of 3 to 1 or more to
/// the ground, and the name of the state is written beside the colour.
pub(super) struct StateColour {
    pub(super) name: &'static str,
    pub(super) light: &'static str,
    pub(super) dark: &'static str,
}

const fn colour(name: &'static str, light: &'static str, dark: &'static str) -> StateColour {
    StateColour { name, light, dark }
}

pub(super) const COLOURS: [StateColour; 12] = [
    colour("scheduled", "#9a6f3c", "#c9a06a"),
    colour("queued", "#6e7781", "#9aa4af"),
    colour("running", "#0969da", "#58a6ff"),
    colour("success", "#1a7f37", "#3fb950"),
    colour("failed", "#cf222e", "#ff6a61"),
    colour("up_for_retry", "#9a6700", "#e3b341"),
    colour("up_for_reschedule", "#0d7d85", "#4fd1d9"),
    colour("deferred", "#8250df", "#b98bff"),
    colour("skipped", "#c2379a", "#f778ba"),
    colour("upstream_failed", "#bc4c00", "#ff9b4a"),
    colour("removed", "#7d8590", "#747d88"),
    colour("cancelled", "#6b5b73", "#ab9bb3"),
];

/// The states that have a colour: Airflow's, and `cancelled`. A task that waits for its upstreams,
/// `none`, has none.
pub const STATES: [&str; 12] = {
    let mut names = [""; 12];
    let mut at = 0;
    while at < names.len() {
        names[at] = COLOURS[at].name;
        at += 1;
    }
    names
};
