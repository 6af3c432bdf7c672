//! GGUF files that a reader of the format accepts: header, metadata, one tensor as long as the file needs.
//! Layout from the GGUF specification in ggml's repository (docs/gguf.md), version 3, little-endian.

use bytes::Bytes;

use super::Content;

const TYPE_UINT16: u32 = 2;
const TYPE_UINT32: u32 = 4;
const TYPE_INT32: u32 = 5;
const TYPE_STRING: u32 = 8;
const TENSOR_INT8: u32 = 24;
const ALIGNMENT: u32 = 32;
/// Where the tensor begins: a fixed place, so that the header's length does not depend on its figures.
const DATA_OFFSET: usize = 512;

struct Header {
    metadata: Vec<u8>,
    entries: u64,
}

pub(super) fn model(name: &str, size_bytes: u64) -> Content {
    Header::new("llama", name).build(name, size_bytes)
}

pub(super) fn shard(name: &str, number: u16, count: u16, size_bytes: u64) -> Content {
    let mut header = Header::new("llama", name);
    header.entry(
        "split.no",
        TYPE_UINT16,
        &number.saturating_sub(1).to_le_bytes(),
    );
    header.entry("split.count", TYPE_UINT16, &count.to_le_bytes());
    header.entry(
        "split.tensors.count",
        TYPE_INT32,
        &i32::from(count).to_le_bytes(),
    );
    header.build(&format!("{name}#{number}"), size_bytes)
}

pub(super) fn projector(name: &str, size_bytes: u64) -> Content {
    Header::new("clip", name).build(&format!("{name}#mmproj"), size_bytes)
}

impl Header {
    fn new(architecture: &str, name: &str) -> Self {
        let mut header = Self {
            metadata: Vec::new(),
            entries: 0,
        };
        // A long name must not push the tensor from its place.
        let name: String = name.chars().take(48).collect();
        header.entry("general.architecture", TYPE_STRING, &string(architecture));
        header.entry("general.name", TYPE_STRING, &string(&name));
        header.entry("general.alignment", TYPE_UINT32, &ALIGNMENT.to_le_bytes());
        header
    }

    fn entry(&mut self, key: &str, kind: u32, value: &[u8]) {
        self.metadata.extend(string(key));
        self.metadata.extend(kind.to_le_bytes());
        self.metadata.extend(value);
        self.entries += 1;
    }

    fn build(self, seed: &str, size_bytes: u64) -> Content {
        assert!(
            size_bytes >= Content::GGUF_MIN_BYTES,
            "a GGUF file of {size_bytes} bytes has no room for its header"
        );
        let mut head = Vec::with_capacity(DATA_OFFSET);
        head.extend(b"GGUF");
        head.extend(3_u32.to_le_bytes());
        head.extend(1_u64.to_le_bytes());
        head.extend(self.entries.to_le_bytes());
        head.extend(self.metadata);
        head.extend(string("token_embd.weight"));
        head.extend(1_u32.to_le_bytes());
        head.extend((size_bytes - DATA_OFFSET as u64).to_le_bytes());
        head.extend(TENSOR_INT8.to_le_bytes());
        // The tensor's offset counts from the data section, which starts at the next multiple of the alignment:
        // the rest up to DATA_OFFSET is padding inside the section.
        let alignment = ALIGNMENT as usize;
        let section = (head.len() + 8).next_multiple_of(alignment);
        head.extend((DATA_OFFSET.saturating_sub(section) as u64).to_le_bytes());
        head.resize(DATA_OFFSET, 0);
        let seed = seed.bytes().fold(size_bytes, |sum, byte| {
            sum.wrapping_mul(31) + u64::from(byte)
        });
        Content::with_head(Bytes::from(head), seed, size_bytes)
    }
}

fn string(text: &str) -> Vec<u8> {
    let mut bytes = (text.len() as u64).to_le_bytes().to_vec();
    bytes.extend(text.as_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shard_says_its_number_and_ends_where_its_tensor_ends() {
        let bytes = shard("Tiny", 2, 3, 4096).to_vec();
        assert_eq!(bytes.len(), 4096);
        assert_eq!(&bytes[..8], b"GGUF\x03\0\0\0");
        let key = b"split.no";
        let at = bytes
            .windows(key.len())
            .position(|window| window == key)
            .unwrap()
            + key.len();
        assert_eq!(&bytes[at..at + 6], [2, 0, 0, 0, 1, 0]);
    }
}
