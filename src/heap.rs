//! The program's allocator, and what it keeps of what was freed.

#![expect(unsafe_code, reason = "calls of the allocator that its crate does not wrap")]

use libmimalloc_sys::{mi_collect, mi_option_set, mi_option_t};

/// Chunks are made on one thread and dropped on another; the system's allocator keeps what was freed
/// per thread, which here means twice the memory (measured: 505 against 290 MB). Without pages of 2 MiB
/// (`no_thp`): they stay resident for a few bytes (50 of 500 MB), and cost as much to clear as they save.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Gives free memory back to the system at once. Otherwise it is kept for a tenth of a second, because
/// it is likely to be wanted again: 50 MB of a load, and 6 % of its time (measured).
pub fn give_back() {
    // SAFETY: takes no pointers; any thread may call it at any time.
    unsafe { mi_collect(true) };
}

/// `mi_option_purge_delay` of mimalloc 2 and 3; its crate gives only stable options a name.
const PURGE_DELAY: mi_option_t = 15;

/// Keeps free memory from now on: for the end of the program, where the allocator would give it all back
/// page by page before the system takes everything (25 ms of a load that had 400 MB, measured).
pub fn keep() {
    // SAFETY: plain numbers; an option that is not known is ignored.
    unsafe { mi_option_set(PURGE_DELAY, -1) };
}
