//! Safetensors files that a reader of the format accepts: the header's length, a JSON header, one tensor.
//! Layout from the safetensors README: eight bytes of length, JSON that may end in spaces, the data.

use bytes::Bytes;
use serde_json::json;

use super::Content;

/// The length of the file up to its data: fixed, so that it does not depend on the figures in the header.
const DATA_OFFSET: usize = 256;

pub(super) fn file(tensor: &str, size_bytes: u64) -> Content {
    assert!(
        size_bytes >= 2 * DATA_OFFSET as u64,
        "a safetensors file of {size_bytes} bytes has no room for its header"
    );
    let data = size_bytes - DATA_OFFSET as u64;
    let header = json!({
        "__metadata__": {"format": "pt"},
        tensor: {"dtype": "U8", "shape": [data], "data_offsets": [0, data]},
    })
    .to_string();
    let mut head = ((DATA_OFFSET - 8) as u64).to_le_bytes().to_vec();
    head.extend(header.as_bytes());
    assert!(
        head.len() <= DATA_OFFSET,
        "the tensor name `{tensor}` is too long"
    );
    head.resize(DATA_OFFSET, b' ');
    let seed = tensor.bytes().fold(size_bytes, |sum, byte| {
        sum.wrapping_mul(31) + u64::from(byte)
    });
    Content::with_head(Bytes::from(head), seed, size_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_tells_where_the_tensor_ends() {
        let bytes = file("layer.0.weight", 1000).to_vec();
        let length = u64::from_le_bytes(bytes[..8].try_into().unwrap());
        let end = 8 + usize::try_from(length).unwrap();
        let header: serde_json::Value = serde_json::from_slice(&bytes[8..end]).unwrap();
        assert_eq!(
            header["layer.0.weight"]["data_offsets"],
            json!([0, 1000 - end])
        );
    }
}
