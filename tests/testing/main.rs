//! The test kit, and random graphs: explored with the kit, and compared with a model.

#[cfg(feature = "testing")]
mod assets;
mod comparison;
#[cfg(feature = "testing")]
mod kit;
mod model;
mod properties;
mod random_graphs;
mod scripted_tasks;
#[cfg(feature = "testing")]
mod simulation;
