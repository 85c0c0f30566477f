//! Ctrl-C and SIGTERM end a run in order; a second one ends the program at once.

use super::{exit, output};
use crate::flow::{Stop, StopCause};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How often the flags are looked at.
const LOOK: Duration = Duration::from_millis(50);

/// Raises `stop` when a signal comes. Signal handlers may only set flags, so a thread watches them;
/// it lives as long as the program.
pub fn watch(stop: &Stop) -> io::Result<()> {
    let interrupted = register(SIGINT, exit::INTERRUPTED)?;
    let mut terminated = vec![register(SIGTERM, exit::TERMINATED)?];
    #[cfg(unix)]
    terminated.push(register(signal_hook::consts::SIGHUP, exit::TERMINATED)?);
    let stop = stop.clone();
    let watcher = move || {
        let set = |flag: &Arc<AtomicBool>| flag.load(Ordering::SeqCst);
        loop {
            std::thread::sleep(LOOK);
            let cause = if set(&interrupted) {
                StopCause::Interrupt
            } else if terminated.iter().any(set) {
                StopCause::Terminate
            } else {
                continue;
            };
            output::stderr("stopping after the chunk in hand; Ctrl-C again ends at once");
            stop.raise(cause);
            return;
        }
    };
    std::thread::Builder::new().name("signals".into()).spawn(watcher).map(drop)
}

fn register(signal: i32, code: u8) -> io::Result<Arc<AtomicBool>> {
    let seen = Arc::new(AtomicBool::new(false));
    // Order matters: the first signal finds the flag unset and only sets it.
    flag::register_conditional_shutdown(signal, i32::from(code), Arc::clone(&seen))?;
    flag::register(signal, Arc::clone(&seen))?;
    Ok(seen)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn the_first_signal_asks_for_an_end_in_order() {
        let stop = Stop::default();
        watch(&stop).expect("signals can be watched");
        signal_hook::low_level::raise(SIGTERM).expect("a signal to ourselves");
        for _ in 0..100 {
            if stop.is_raised() {
                break;
            }
            std::thread::sleep(LOOK);
        }
        assert_eq!(stop.cause(), Some(StopCause::Terminate));
    }
}
