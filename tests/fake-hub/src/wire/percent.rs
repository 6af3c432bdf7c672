//! Percent-encoding of one path segment (RFC 3986, section 2.1).

use std::fmt::Write as _;

/// Encodes everything but the unreserved characters.
pub(crate) fn encode(text: &str) -> String {
    text.bytes()
        .fold(String::with_capacity(text.len()), |mut out, byte| {
            if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                out.push(char::from(byte));
            } else {
                // Writing to a String cannot fail.
                let _ = write!(out, "%{byte:02X}");
            }
            out
        })
}

/// Decodes `%XX`; what is no valid escape stays as it is.
pub(crate) fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let escape = text.get(at + 1..at + 3).filter(|_| bytes[at] == b'%');
        if let Some(byte) = escape.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            out.push(byte);
            at += 3;
        } else {
            out.push(bytes[at]);
            at += 1;
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_survives_encoding_and_decoding() {
        for text in ["refs/pr/1", "a b%41+ü", "plain-1.0_x~", "%", "%4"] {
            assert_eq!(decode(&encode(text)), text);
        }
        assert_eq!(encode("refs/pr/1"), "refs%2Fpr%2F1");
    }
}
