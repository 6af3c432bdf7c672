//! Doors for the fuzz targets (`fuzz/`), there only in their builds: what reads the requests of strangers.

use axum::{body::Body, extract::Request};
use http::{HeaderValue, header};

use crate::http::host::AllowedHosts;

/// Whether a request with this `Host` gets past the hive of a machine that is called `gpu1`.
pub fn accepts_host(value: &[u8]) -> bool {
    let Ok(value) = HeaderValue::from_bytes(value) else {
        return false;
    };
    let mut request = Request::new(Body::empty());
    request.headers_mut().insert(header::HOST, value);
    AllowedHosts::new("gpu1", &[], None).accepts(&request)
}
