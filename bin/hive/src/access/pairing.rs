//! Pairing codes: one at a time, in memory, gone after its time, its tries or one use.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use hive_api::{CreatePairCode, Scope};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use tokio::time::Instant;

/// How long a code is open.
pub(crate) const LIFETIME: Duration = Duration::from_mins(10);
/// Wrong codes until the open one ends.
const TRIES: u8 = 5;
/// Digits and letters that are not taken for each other: no 0, 1, I and O.
const ALPHABET: &[u8; 32] = b"23456789ABCDEFGHJKLMNPQRSTUVWXYZ";
/// Five bits a letter.
const RANDOM_BYTES: usize = 5;
/// Letters before the dash.
const HALF: usize = 4;

/// The code of a hive, if one is open.
#[derive(Default)]
pub(crate) struct Pairing(Mutex<Option<OpenCode>>);

struct OpenCode {
    digest: [u8; 32],
    terms: Terms,
    tries_left: u8,
    ends: Instant,
}

/// What a code is good for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Terms {
    pub(crate) scope: Scope,
    /// The token's name, where the owner of the hive chose it.
    pub(crate) name: Option<String>,
}

impl Pairing {
    /// Opens a code, in place of an earlier one.
    pub(crate) fn open(&self, wanted: CreatePairCode) -> Result<String, getrandom::Error> {
        let letters = random_letters()?;
        *self.lock() = Some(OpenCode {
            digest: Sha256::digest(&letters).into(),
            terms: Terms {
                scope: wanted.scope,
                name: wanted.name,
            },
            tries_left: TRIES,
            ends: Instant::now() + LIFETIME,
        });
        let (first, second) = letters.split_at(HALF);
        Ok(format!("{first}-{second}"))
    }

    /// Uses up the open code, if it is this one. Takes the same time whether one is open or not.
    pub(crate) fn redeem(&self, code: &str) -> Option<Terms> {
        let given: [u8; 32] = Sha256::digest(bare(code)).into();
        let mut open = self.lock();
        if open
            .as_ref()
            .is_some_and(|open| open.ends <= Instant::now())
        {
            *open = None;
        }
        let expected = open.as_ref().map_or([0; 32], |open| open.digest);
        let is_right: bool = expected.ct_eq(&given).into();
        if is_right {
            return open.take().map(|open| open.terms);
        }
        if let Some(code) = open.as_mut() {
            code.tries_left -= 1;
            if code.tries_left == 0 {
                *open = None;
                tracing::warn!("the pairing code is gone: {TRIES} wrong ones came");
            }
        }
        None
    }

    fn lock(&self) -> MutexGuard<'_, Option<OpenCode>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn random_letters() -> Result<String, getrandom::Error> {
    let mut bytes = [0; RANDOM_BYTES];
    getrandom::fill(&mut bytes)?;
    let mut bits = bytes
        .iter()
        .fold(0_u64, |bits, &byte| (bits << 8) | u64::from(byte));
    let mut letters = String::new();
    for _ in 0..2 * HALF {
        // Five bits: there are as many letters.
        let place = usize::from((bits & 0b1_1111) as u8);
        letters.push(char::from(ALPHABET[place]));
        bits >>= 5;
    }
    Ok(letters)
}

/// The letters alone, as they were shown.
fn bare(code: &str) -> String {
    let letters = code.chars().filter(|c| !c.is_whitespace() && *c != '-');
    letters.map(|c| c.to_ascii_uppercase()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(pairing: &Pairing) -> String {
        pairing.open(CreatePairCode::default()).unwrap()
    }

    #[test]
    fn a_code_is_read_in_any_case_with_or_without_its_dash_and_works_once() {
        for written in [
            |code: &str| code.to_owned(),
            |code: &str| code.to_lowercase(),
            |code: &str| code.replace('-', ""),
            |code: &str| format!(" {}\n", code.replace('-', " ")),
        ] {
            let pairing = Pairing::default();
            let code = open(&pairing);
            assert_eq!(code.len(), 9);
            let terms = pairing.redeem(&written(&code)).unwrap();
            assert_eq!((terms.scope, terms.name), (Scope::Operate, None));
            assert_eq!(pairing.redeem(&code), None);
        }
    }

    #[test]
    fn five_wrong_tries_end_a_code_and_four_do_not() {
        for (wrong, is_open) in [(4, true), (5, false)] {
            let pairing = Pairing::default();
            let code = open(&pairing);
            for _ in 0..wrong {
                assert_eq!(pairing.redeem("0000-0000"), None);
            }
            assert_eq!(pairing.redeem(&code).is_some(), is_open);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_code_ends_after_ten_minutes() {
        let pairing = Pairing::default();
        let code = open(&pairing);
        tokio::time::advance(Duration::from_secs(599)).await;
        assert_eq!(pairing.redeem("wrong"), None);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(pairing.redeem(&code), None);
    }

    #[test]
    fn a_new_code_takes_the_place_of_the_old() {
        let pairing = Pairing::default();
        let (old, new) = (open(&pairing), open(&pairing));
        assert_eq!(pairing.redeem(&old), None);
        assert!(pairing.redeem(&new).is_some());
    }
}
