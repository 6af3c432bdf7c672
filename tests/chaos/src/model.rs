//! The repositories of a run: files from nothing to some MiB, twins, shards, folders, names that need encoding.

use std::fmt;

use fake_hub::{Content, Repository};

use crate::dice::Dice;

const KIB: u64 = 1024;

/// The repository that is downloaded, another one that shares blobs with it, and the state after a push.
#[derive(Clone, Debug)]
pub(crate) struct Models {
    pub(crate) main: Repository,
    pub(crate) neighbour: Repository,
    pub(crate) pushed: Repository,
    /// A quantisation is selected, rather than all files.
    pub(crate) is_quantised: bool,
}

/// The id of the repository that is downloaded.
pub(crate) const MAIN: &str = "chaos/model";
/// The id of the one that shares blobs with it.
pub(crate) const NEIGHBOUR: &str = "chaos/neighbour";

impl Models {
    pub(crate) fn draw(dice: &mut Dice) -> Self {
        let is_quantised = dice.one_in(4);
        let mut main = Repository::model(MAIN);
        if is_quantised {
            main = with_quantisations(main, dice);
        }
        for number in 0..dice.between(1..=4) {
            let path = large_path(dice, number);
            main = main.large_file(&path, content(dice));
        }
        for number in 0..dice.between(0..=3) {
            let size = *dice.pick(&[0, 1, 2, 500, 5_000]);
            let small = Content::generated(dice.roll(), size);
            main = main.file(&format!("configuration {number}.json"), small);
        }
        if dice.one_in(3) {
            main = with_twin(main, dice);
        }
        let neighbour = main
            .clone()
            .with_id(NEIGHBOUR)
            .file("neighbour.txt", Content::generated(dice.roll(), 100))
            .large_file("neighbour.bin", content(dice));
        let replaced = main.paths().next().unwrap_or_default().to_owned();
        let pushed = main.clone().large_file(&replaced, content(dice));
        Self {
            main,
            neighbour,
            pushed,
            is_quantised,
        }
    }

    /// Every path of the repository that is downloaded.
    pub(crate) fn paths(&self) -> Vec<String> {
        self.main.paths().map(str::to_owned).collect()
    }

    /// Of these, the files that are known by their sha256.
    pub(crate) fn large_paths(&self) -> Vec<String> {
        let mut paths = self.paths();
        paths.retain(|path| self.main.etag(path).is_some_and(|etag| etag.len() == 64));
        paths
    }

    /// The size of the largest file that is downloaded.
    pub(crate) fn largest_bytes(&self) -> u64 {
        let sizes = self.main.paths().filter_map(|path| self.main.content(path));
        sizes.map(Content::size_bytes).max().unwrap_or_default()
    }
}

fn with_quantisations(mut repository: Repository, dice: &mut Dice) -> Repository {
    let shards = dice.between(1..=3);
    for number in 1..=shards {
        let path = match shards {
            1 => "tiny-Q4_K_M.gguf".to_owned(),
            _ => format!("Q4_K_M/tiny-Q4_K_M-{number:05}-of-{shards:05}.gguf"),
        };
        repository = repository.large_file(&path, content(dice));
    }
    repository.large_file("tiny-Q8_0.gguf", content(dice))
}

/// The same bytes under another path.
fn with_twin(repository: Repository, dice: &mut Dice) -> Repository {
    let paths: Vec<String> = repository.paths().map(str::to_owned).collect();
    let path: &String = dice.pick(&paths);
    let twin = repository.content(path).cloned();
    match twin {
        Some(content) => repository.large_file("copies/twin.bin", content),
        None => repository,
    }
}

fn large_path(dice: &mut Dice, number: u64) -> String {
    match dice.between(0..=3) {
        0 => format!("part {number} äöü+%41.bin"),
        1 => format!("deep/folders/part-{number}.bin"),
        _ => format!("part-{number}.bin"),
    }
}

/// Edges of what is split and batched, and sizes between.
fn content(dice: &mut Dice) -> Content {
    let size = match dice.between(0..=5) {
        0 => *dice.pick(&[0, 1, 2, 100]),
        1 => *dice.pick(&[64 * KIB - 1, 64 * KIB, 64 * KIB + 1, 256 * KIB, 1024 * KIB]),
        2 | 3 => dice.between(10_000..=400_000),
        4 => dice.between(400_000..=1_500_000),
        _ => dice.between(1_500_000..=4_000_000),
    };
    Content::generated(dice.roll(), size)
}

impl fmt::Display for Models {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let selected = if self.is_quantised {
            "default quantisation of "
        } else {
            ""
        };
        write!(formatter, "{selected}{MAIN} {{")?;
        for path in self.main.paths() {
            let size = self.main.content(path).map_or(0, Content::size_bytes);
            write!(formatter, " `{path}` {size}")?;
        }
        formatter.write_str(" }")
    }
}
