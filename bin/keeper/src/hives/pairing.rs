//! Pairing: a code that a hive's machine printed, exchanged once for a token of this keeper's own.

use std::{fmt, str::FromStr};

use hive_api::{NewToken, Pair};

use super::{Hive, entry::is_word};
use crate::failure::Failure;

/// Characters of a code, the dash aside.
const CODE_CHARACTERS: usize = 8;
/// What a machine without a name of its own is called.
const NAMELESS: &str = "keeper";

/// What `hive pair` printed after `--code`.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct PairingCode(String);

impl FromStr for PairingCode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let letters: Vec<char> = text.chars().filter(|letter| *letter != '-').collect();
        let is_code =
            letters.len() == CODE_CHARACTERS && letters.iter().all(char::is_ascii_alphanumeric);
        if is_code {
            Ok(Self(text.to_owned()))
        } else {
            Err("a code is XXXX-XXXX, as hive pair prints it on the machine of the hive".to_owned())
        }
    }
}

/// Without the code: what is debugged is logged.
impl fmt::Debug for PairingCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("PairingCode")
    }
}

impl PairingCode {
    /// Exchanges it at this hive for a token that is called like this machine. The code is then used up.
    pub(crate) async fn exchange(&self, hive: &Hive) -> Result<NewToken, Failure> {
        let pair = Pair {
            code: self.0.clone(),
            name: name_of_this_machine(),
        };
        let exchanged = hive.client.pair(&pair).await;
        exchanged.map_err(|error| Failure::of_client(hive, &error))
    }
}

/// The first label of the machine's name, as far as a token can be called so.
fn name_of_this_machine() -> String {
    let machine = rustix::system::uname();
    let name = machine.nodename().to_string_lossy();
    token_name(&name)
}

fn token_name(machine: &str) -> String {
    let label = machine.split('.').next().unwrap_or_default();
    let fine = label
        .chars()
        .filter(|letter| letter.is_ascii_alphanumeric() || "_-".contains(*letter));
    let name: String = fine.take(63).collect();
    let name = name.trim_start_matches('-');
    if is_word(name) { name } else { NAMELESS }.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_eight_letters_and_digits_and_is_never_shown() {
        for text in ["7KQM-2XHD", "7kqm2xhd"] {
            let code: PairingCode = text.parse().unwrap();
            assert!(!format!("{code:?}").contains('7'));
        }
        for text in ["", "7KQM", "7KQM-2XHDA", "7KQM-2X D", "ÄKQM-2XHD"] {
            assert!(text.parse::<PairingCode>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_token_is_called_like_the_machine() {
        assert_eq!(token_name("laptop.lan"), "laptop");
        assert_eq!(token_name("Ada's laptop"), "Adaslaptop");
        assert_eq!(token_name("--"), NAMELESS);
        assert_eq!(token_name(""), NAMELESS);
        assert_eq!(token_name(&"x".repeat(80)).len(), 63);
    }
}
