//! A model reference: what is accepted names one repository and one ref in the store, and reads back as itself.
#![no_main]

use fuzz::{HUB, assert_stays_below_root};
use libfuzzer_sys::fuzz_target;
use model_provisioner::ModelReference;

fuzz_target!(|text: &str| {
    let hub = HUB.parse().expect("it is an address");
    for hub in [None, Some(&hub)] {
        let Ok(reference) = ModelReference::parse(text, hub) else {
            continue;
        };
        assert_stays_below_root(&reference.repo().folder_name());
        assert_stays_below_root(reference.revision());
        let again = ModelReference::parse(&reference.to_string(), hub);
        assert_eq!(again.as_ref(), Ok(&reference), "{reference}");
    }
});
