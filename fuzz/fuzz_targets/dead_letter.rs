#![no_main]
//! Any bytes for `dead_letter`; the body says what must hold.

use etl_fuzz::bodies;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| bodies::dead_letter(data));
