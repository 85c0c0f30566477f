//! The C library's allocator, which DuckDB uses beside its own: how much free memory it keeps.

#![expect(unsafe_code, reason = "calls of the C library that no crate offers")]

#[cfg(all(target_os = "linux", target_env = "gnu"))]
unsafe extern "C" {
    fn mallopt(parameter: std::ffi::c_int, value: std::ffi::c_int) -> std::ffi::c_int;
    fn malloc_trim(pad: usize) -> std::ffi::c_int;
}

/// Call once, early: keeps few pools of free memory. glibc makes one a thread by default, and what one
/// thread has freed the others cannot use: a load that needs 290 MB then takes 500 (measured).
pub fn few_memory_pools() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        const M_ARENA_MAX: std::ffi::c_int = -8;
        // SAFETY: plain numbers; it may be called at any time.
        unsafe { mallopt(M_ARENA_MAX, 2) };
    }
}

/// Gives free memory back to the system.
pub fn trim_memory_pools() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: a plain number; it may be called at any time by any thread.
    unsafe {
        malloc_trim(0);
    }
}
