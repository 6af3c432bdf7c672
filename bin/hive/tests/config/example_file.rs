//! The example of `hive.toml` that is installed with the service.

use std::{path::Path, time::Duration};

use hive::{Config, TlsConfig};

use crate::Told;

/// The keys that a file may have, as the refusal of an unknown one names them.
fn keys_of_a_file() -> Vec<String> {
    let error = Told::nothing().file("no_such_key = 1\n").resolve();
    let message = error.unwrap_err().to_string();
    let (_, keys) = message.split_once("expected one of ").unwrap();
    keys.split(", ")
        .map(|key| key.trim_matches('`').to_owned())
        .collect()
}

#[test]
fn the_example_file_has_every_key_with_its_default() {
    let example = include_str!("../../../../packaging/hive.toml");
    let lines: Vec<&str> = example
        .lines()
        .filter_map(|line| line.strip_prefix("# "))
        .filter(|line| {
            let key = line.split(" = ").next().unwrap();
            line.contains(" = ") && !key.contains(' ')
        })
        .collect();
    let mut keys: Vec<_> = lines
        .iter()
        .map(|line| line.split(" = ").next().unwrap().to_owned())
        .collect();
    let mut expected = keys_of_a_file();
    keys.sort();
    expected.sort();
    assert_eq!(keys, expected);

    let mut told = Told::nothing().file(&lines.join("\n")).resolve().unwrap();
    let default = Told::nothing().resolve().unwrap();
    // These have no value that says what is so without them.
    assert!(matches!(told.tls.take(), Some(TlsConfig::Given { .. })));
    assert_eq!(told.store, Path::new("/srv/hive/hub"));
    assert_eq!(told.idle_exit, Some(Duration::from_mins(15)));
    told.store.clone_from(&default.store);
    told.idle_exit = None;
    told.state = default.state.clone();
    let without_home = |config: &Config| format!("{config:?}");
    assert_eq!(without_home(&told), without_home(&default));
}
