//! Everything that happens in one run, drawn from its seed: what is downloaded, what goes wrong, who else is there.

mod trouble;

use std::fmt;

use crate::dice::Dice;
use crate::model::Models;

pub(crate) use trouble::Trouble;

/// One run.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) models: Models,
    pub(crate) troubles: Vec<Trouble>,
    /// A second download at the same time.
    pub(crate) neighbour: Option<Neighbour>,
    /// When the first download is cancelled.
    pub(crate) cancel: Option<Moment>,
    /// Fetch again what is there.
    pub(crate) force: bool,
    /// With how many connections a file begins.
    pub(crate) connections: usize,
    /// What another program left in the way of a partial.
    pub(crate) litter: Option<Litter>,
    /// `main` moves before the second attempt.
    pub(crate) is_pushed: bool,
    /// The second attempt is by a new hive.
    pub(crate) is_restarted: bool,
}

/// What another download at the same time is, and by whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Neighbour {
    /// It is of another repository that shares blobs.
    pub(crate) of_other_repository: bool,
    /// It is by another hive on the same store.
    pub(crate) by_other_hive: bool,
}

/// A moment of a run that no clock decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    /// The Hub is asked for the n-th time.
    HubAsked(u64),
    /// The CDN is asked for the n-th time.
    CdnAsked(u64),
    /// So many bytes of a file were sent.
    BytesSent(String, u64),
    /// The n-th retry is told.
    Retried(u64),
    /// All files are verified, and the caller is asked whether to publish.
    ReadyToPublish,
}

/// A file at a partial's path that proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Litter {
    /// Bytes without a record.
    Bytes,
    /// Bytes with a record that is none.
    BytesAndRecord,
    /// A record of another file, without bytes.
    RecordAlone,
    /// A symbolic link to a file outside.
    Link,
}

impl Plan {
    pub(crate) fn draw(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let dice = &mut dice;
        let models = Models::draw(dice);
        // One run in ten has no trouble at all: what is left then must succeed.
        let troubles = match dice.between(0..=9) {
            0 => 0,
            few @ 1..=6 => few.div_ceil(3),
            many => many - 4,
        };
        let troubles = (0..troubles)
            .map(|_| Trouble::draw(dice, &models))
            .collect();
        let neighbour = dice.one_in(3).then(|| Neighbour {
            of_other_repository: dice.one_in(2),
            by_other_hive: dice.one_in(2),
        });
        let litters = [
            Litter::Bytes,
            Litter::BytesAndRecord,
            Litter::RecordAlone,
            Litter::Link,
        ];
        Self {
            neighbour,
            troubles,
            cancel: dice.one_in(3).then(|| Moment::draw(dice, &models)),
            force: dice.one_in(8),
            connections: usize::try_from(dice.between(1..=6)).unwrap_or(1),
            litter: dice.one_in(8).then(|| *dice.pick(&litters)),
            is_pushed: dice.one_in(6),
            is_restarted: dice.one_in(2),
            models,
        }
    }
}

impl Moment {
    fn draw(dice: &mut Dice, models: &Models) -> Self {
        match dice.between(0..=5) {
            0 => Self::HubAsked(dice.between(1..=12)),
            1 => Self::CdnAsked(dice.between(1..=8)),
            2 => Self::Retried(dice.between(1..=4)),
            3 => Self::ReadyToPublish,
            _ => {
                let path: String = dice.pick(&models.paths()).clone();
                let size = models
                    .main
                    .content(&path)
                    .map_or(0, fake_hub::Content::size_bytes);
                Self::BytesSent(path, dice.between(0..=size))
            }
        }
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{}; {} connections",
            self.models, self.connections
        )?;
        for trouble in &self.troubles {
            write!(formatter, "; {trouble}")?;
        }
        if let Some(moment) = &self.cancel {
            write!(formatter, "; cancel at {moment:?}")?;
        }
        if let Some(neighbour) = &self.neighbour {
            write!(formatter, "; {neighbour:?}")?;
        }
        if let Some(litter) = &self.litter {
            write!(formatter, "; litter: {litter:?}")?;
        }
        for (is_so, words) in [
            (self.force, "forced"),
            (self.is_pushed, "main moves"),
            (self.is_restarted, "new hive"),
        ] {
            if is_so {
                write!(formatter, "; {words}")?;
            }
        }
        Ok(())
    }
}
