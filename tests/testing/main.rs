//! The test kit, and random graphs: explored with the kit, and compared with a model.

#[cfg(feature = "testing")]
mod assets;
#[cfg(feature = "testing")]
mod kit;
mod properties;
#[cfg(feature = "testing")]
mod simulation;
