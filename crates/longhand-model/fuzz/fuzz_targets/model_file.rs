#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| longhand_model_fuzz::file_targets::model_file(input));
