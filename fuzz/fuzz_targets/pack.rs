#![no_main]
//! Any bytes for `pack`; the body says what must hold.

use etl_fuzz::bodies;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| bodies::pack(data));
