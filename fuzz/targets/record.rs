//! The record of a partial: whatever is in the file, what it proves lies inside the file and is written the same.
#![no_main]

use std::ops::Range;

use downloader::{BootId, Digest, fuzzing::RecordReader};
use libfuzzer_sys::fuzz_target;

const SIZE_BYTES: u64 = 1000;

fuzz_target!(|text: &str| {
    let reader = RecordReader::new(
        Digest::Sha256([0; 32]),
        SIZE_BYTES,
        BootId::new("this boot"),
    );
    let Some(mut proof) = reader.read(text) else {
        return;
    };
    for stretches in [&proof.segments, &proof.synced] {
        let is_inside = |here: &Range<u64>| here.start < here.end && here.end <= SIZE_BYTES;
        assert!(stretches.iter().all(is_inside), "{proof:?}");
        let are_apart = stretches.windows(2).all(|pair| pair[0].end < pair[1].start);
        assert!(are_apart, "{proof:?}");
    }
    if !proof.is_same_boot {
        assert_eq!(proof.segments, proof.synced);
        proof.is_same_boot = true;
    }
    let written = reader.write(&proof).expect("what was read can be written");
    let written = String::from_utf8(written).expect("a record is text");
    assert_eq!(reader.read(&written), Some(proof));
});
