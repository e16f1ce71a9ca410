//! See `entries::dns`.
#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| handshark_fuzz::entries::dns(bytes));
