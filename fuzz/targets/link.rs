//! The next page of a listing, to which the token goes along, is the Hub's or there is none.
#![no_main]

use fuzz::{HUB, headers, reader};
use libfuzzer_sys::fuzz_target;
use reqwest::Response;

fuzz_target!(|text: &str| {
    let mut head = http::Response::new("");
    *head.headers_mut() = headers(text.lines());
    if let Some(next) = reader().next_page(&Response::from(head)) {
        let hub: url::Url = HUB.parse().expect("it is an address");
        assert_eq!(next.origin(), hub.origin(), "{next}");
    }
});
