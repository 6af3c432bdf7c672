//! The `Host` header: what is let in is an IP literal or one of the hive's own names, and nothing else.
#![no_main]

use std::net::IpAddr;

use hive::fuzzing::accepts_host;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|value: &[u8]| {
    if !accepts_host(value) {
        return;
    }
    let text = std::str::from_utf8(value).expect("a host is ASCII");
    assert!(!text.contains(['@', '/', '?', '#', ' ', '\\']), "{text}");
    let host = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _)) => address,
        None => text.split(':').next().expect("a split gives one"),
    };
    let name = host.strip_suffix('.').unwrap_or(host);
    let is_own = ["localhost", "gpu1"].iter().any(|own| name.eq_ignore_ascii_case(own));
    assert!(is_own || host.parse::<IpAddr>().is_ok(), "{text}");
});
