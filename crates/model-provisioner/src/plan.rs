//! What a reference resolves to at a pinned commit, before the first byte.

/// The files that a download would fetch, with what is already here. Sizes in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// `org/name`, with `datasets/` before it for a dataset.
    pub repo: String,
    /// The revision that was asked for, such as `main`.
    pub revision: String,
    /// The commit it pointed to, 40 hexadecimal digits.
    pub commit: String,
    /// The quantisation or file that was selected, `None` for what an engine needs and for globs.
    pub selector: Option<String>,
    /// The path of the selected file, its first shard; `None` where the snapshot folder is the model.
    pub main: Option<String>,
    /// The selected files, in the order of their paths.
    pub files: Vec<PlannedFile>,
    /// How many weight files belong to the one sharded set; zero when the weights are one file.
    pub shards: u32,
    /// Bytes of all selected files, `None` while a size is unknown.
    pub bytes_total: Option<u64>,
    /// Bytes of the selected files that the store already has.
    pub bytes_reused: u64,
    /// Bytes to fetch, `None` while a size is unknown.
    pub bytes_to_fetch: Option<u64>,
    /// Bytes free on the store's disk now.
    pub free_bytes: u64,
    /// Of these, bytes that running downloads have reserved and not written yet.
    pub reserved_bytes: u64,
    /// Files of the repository that were not selected.
    pub left_out: LeftOut,
    /// The other quantisations there are, when the choice was the provisioner's.
    pub others: Vec<Choice>,
    /// Whether the Hub serves the files to this hive's account.
    pub access: Access,
}

/// One file of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedFile {
    /// The path in the repository.
    pub path: String,
    /// The size, `None` when the Hub's listing did not come in time.
    pub bytes: Option<u64>,
    /// The sha256 of a large file; `None` for small git files and when it is unknown.
    pub sha256: Option<String>,
    /// The bytes that the store already has.
    pub bytes_reused: u64,
}

/// Files of the repository that were not selected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// How many.
    pub files: u32,
    /// Their bytes, `None` while a size is unknown.
    pub bytes: Option<u64>,
}

/// Something that a selector can name, with its bytes, `None` while a size is unknown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The quantisation or the file's path.
    pub selector: String,
    /// The bytes of all files it stands for.
    pub bytes: Option<u64>,
}

/// Whether the Hub serves the files to this hive's account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// It does.
    Granted,
    /// The repository is gated and the account has no access.
    Denied,
    /// It was not asked, or did not say in time.
    Unchecked,
}
