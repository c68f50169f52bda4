//! What libFuzzer follows: recovery of directories that its bytes describe, with right checksums or without.

#![no_main]

#[path = "../../it/recovery/described.rs"]
mod described;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    described::recovers(input);
});
