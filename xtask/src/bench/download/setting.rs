//! The settings: what is served how, who takes part, and the bars that are to be reached.

use anyhow::Result;
use clap::ValueEnum;

use super::{contender::Contender, origin::Origin};

const MIB: u64 = 1024 * 1024;
const GIB: u64 = 1024 * MIB;

/// How the bytes come.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Setting {
    /// One large file, as fast as loopback gives it
    Unlimited,
    /// One large file, 25 MiB/s for each connection
    PerConnection,
    /// Many small files and a few shards, 200 ms before each response
    Delayed,
    /// One huge file to a disk: how much memory it takes
    Memory,
}

/// How much is downloaded, and how often.
#[derive(Clone, Copy)]
pub(super) struct Sizes {
    pub(super) large_bytes: u64,
    pub(super) limited_bytes: u64,
    pub(super) small_files: u16,
    pub(super) shards: u16,
    pub(super) shard_bytes: u64,
    pub(super) huge_bytes: u64,
    pub(super) rounds: u16,
}

impl Sizes {
    pub(super) const FULL: Self = Self {
        large_bytes: 2 * GIB,
        limited_bytes: 2 * GIB,
        small_files: 300,
        shards: 4,
        shard_bytes: 256 * MIB,
        huge_bytes: 10 * GIB,
        rounds: 5,
    };
    pub(super) const QUICK: Self = Self {
        large_bytes: 256 * MIB,
        limited_bytes: 128 * MIB,
        small_files: 40,
        shards: 4,
        shard_bytes: 16 * MIB,
        huge_bytes: 512 * MIB,
        rounds: 1,
    };
}

/// What a ratio is of.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Of {
    Wall,
    Cpu,
}

/// Hive's figure divided by that of a peer, and the most that it may be.
pub(super) struct Bar {
    pub(super) of: Of,
    pub(super) peer: Contender,
    pub(super) at_most: f64,
}

impl Setting {
    pub(super) const ALL: [Self; 4] = [
        Self::Unlimited,
        Self::PerConnection,
        Self::Delayed,
        Self::Memory,
    ];

    /// As the command line names it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Unlimited => "unlimited",
            Self::PerConnection => "per-connection",
            Self::Delayed => "delayed",
            Self::Memory => "memory",
        }
    }

    /// The title of its section.
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Unlimited => "Download, unlimited",
            Self::PerConnection => "Download, 25 MiB/s for each connection",
            Self::Delayed => "Download, 200 ms before each response",
            Self::Memory => "Download, memory",
        }
    }

    pub(super) fn contenders(self) -> &'static [Contender] {
        use Contender::{Aria2, Aria2Checked, Curl, CurlThenOpenssl, Hf, Hive};
        match self {
            Self::Unlimited => &[Hive, Curl, CurlThenOpenssl, Aria2, Aria2Checked, Hf],
            Self::PerConnection => &[Hive, Curl, Aria2, Aria2Checked, Hf],
            Self::Delayed => &[Hive, Curl, Aria2, Hf],
            Self::Memory => &[Hive],
        }
    }

    pub(super) fn bars(self) -> Vec<Bar> {
        let wall = |peer, at_most| Bar {
            of: Of::Wall,
            peer,
            at_most,
        };
        match self {
            Self::Unlimited => vec![
                wall(Contender::Aria2Checked, 1.0),
                wall(Contender::Curl, 1.15),
                Bar {
                    of: Of::Cpu,
                    peer: Contender::CurlThenOpenssl,
                    at_most: 1.3,
                },
            ],
            Self::PerConnection => {
                vec![wall(Contender::Aria2, 1.1), wall(Contender::Hf, 1.0 / 12.0)]
            }
            Self::Delayed => vec![wall(Contender::Hf, 0.5)],
            Self::Memory => Vec::new(),
        }
    }

    /// Starts what this setting downloads from.
    pub(super) async fn origin(self, sizes: Sizes) -> Result<Origin> {
        match self {
            Self::Unlimited => Origin::large_file(sizes.large_bytes, None).await,
            Self::PerConnection => Origin::large_file(sizes.limited_bytes, Some(25 * MIB)).await,
            Self::Delayed => Origin::many_files(sizes).await,
            Self::Memory => Origin::sparse_file(sizes.huge_bytes).await,
        }
    }
}
