//! Files that together are one set of weights: `…-00001-of-00003`.

/// A file's place in a sharded set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shard<'path> {
    /// The path up to the number, folders included.
    prefix: &'path str,
    /// The extension, with its dot.
    extension: &'path str,
    /// The file's number, from 1.
    number: u32,
    /// How many there are.
    total: u32,
    /// Digits of the number as it is written.
    number_width: usize,
    /// The total as it is written.
    total_text: &'path str,
}

impl<'path> Shard<'path> {
    /// Reads the numbers of a path, `None` for a file that is no shard.
    pub(crate) fn of(path: &'path str) -> Option<Self> {
        let dot = path.rfind('.')?;
        let (stem, extension) = path.split_at(dot);
        let (before, total_text) = stem.rsplit_once("-of-")?;
        let (prefix, number_text) = before.rsplit_once('-')?;
        let number = parse_number(number_text)?;
        let total = parse_number(total_text)?;
        (1..=total).contains(&number).then_some(Self {
            prefix,
            extension,
            number,
            total,
            number_width: number_text.len(),
            total_text,
        })
    }

    /// How many shards the set has.
    pub(crate) fn total(&self) -> u32 {
        self.total
    }

    /// Whether another file belongs to the same set.
    pub(crate) fn shares_set_with(&self, other: &Self) -> bool {
        (self.prefix, self.extension, self.total_text)
            == (other.prefix, other.extension, other.total_text)
    }

    /// The paths of the whole set in order.
    pub(crate) fn set(&self) -> impl Iterator<Item = String> {
        (1..=self.total).map(|number| {
            format!(
                "{}-{number:0width$}-of-{}{}",
                self.prefix,
                self.total_text,
                self.extension,
                width = self.number_width,
            )
        })
    }
}

/// A path without its shard numbers: `model.gguf` for `model-00001-of-00002.gguf`, and of a file that is no shard itself.
pub(crate) fn unsharded(path: &str) -> String {
    match Shard::of(path) {
        Some(shard) => format!("{}{}", shard.prefix, shard.extension),
        None => path.to_owned(),
    }
}

/// A number of one to six ASCII digits: more than a million shards are no set.
fn parse_number(text: &str) -> Option<u32> {
    let plausible = (1..=6).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    plausible.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shard_knows_the_names_of_its_whole_set() {
        let shard = Shard::of("Q4_K_M/model-00002-of-00003.gguf").unwrap();
        assert_eq!((shard.number, shard.total), (2, 3));
        assert_eq!(
            shard.set().collect::<Vec<_>>(),
            [
                "Q4_K_M/model-00001-of-00003.gguf",
                "Q4_K_M/model-00002-of-00003.gguf",
                "Q4_K_M/model-00003-of-00003.gguf",
            ]
        );
    }

    #[test]
    fn a_file_without_sensible_numbers_is_no_shard() {
        for path in [
            "model.gguf",
            "model-00004-of-00003.gguf",
            "model-00000-of-00003.gguf",
            "model-x-of-00003.gguf",
            "model-1-of-99999999.gguf",
            "best-of-2.gguf",
        ] {
            assert_eq!(Shard::of(path), None, "{path}");
        }
    }
}
