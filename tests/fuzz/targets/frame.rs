//! See `entries::frame`.
#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| handshark_fuzz::entries::frame(bytes));
