//! What stands beside a run: signals that end it in order, progress, and an eye on the memory.

use super::context::Context;
use super::pressure::Relief;
use super::progress::Progress;
use super::{output, signals};
use crate::config::Settings;
use crate::flow::{Observer, Stop};

/// Does work under signals, with progress and within the memory limit.
pub fn watched<T>(
    context: &Context,
    settings: &Settings,
    work: impl FnOnce(&dyn Observer, &Stop) -> T,
) -> T {
    let stop = Stop::default();
    if let Err(error) = signals::watch(&stop) {
        output::stderr(&format!("warning: signals end the program at once: {error}"));
    }
    let _relief = settings.memory().ok().and_then(|limit| Relief::start(limit, context.give_back));
    let progress = Progress::start(context.progress(settings));
    work(&progress, &stop)
}
