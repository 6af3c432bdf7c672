//! Files in the state folder that are not as the hive left them.

use std::{
    fs,
    os::unix::{
        fs::{PermissionsExt, symlink},
        net::UnixListener,
    },
    path::Path,
};

use rustix::{
    fs::{CWD, FileType, Mode, mknodat},
    process::Signal,
};
use tempfile::TempDir;

use crate::serving::{Serving, ended, run};

fn mode(path: &Path) -> u32 {
    path.metadata().unwrap().permissions().mode() & 0o777
}

#[test]
fn a_database_that_others_can_open_is_closed_to_them() {
    let home = TempDir::new().unwrap();
    let database = home.path().join("state/hive.db");
    let first = Serving::start(home.path(), &[]);
    first.signal(Signal::TERM);
    assert_eq!(first.wait(), 0);
    fs::set_permissions(&database, fs::Permissions::from_mode(0o664)).unwrap();
    let next = Serving::start(home.path(), &[]);
    assert_eq!(mode(&database), 0o600);
    assert_eq!(mode(&home.path().join("state/hive.db-wal")), 0o600);
    next.signal(Signal::TERM);
    assert_eq!(next.wait(), 0);
}

#[test]
fn what_is_no_regular_file_is_refused_by_name_and_holds_nobody_up() {
    type Plant = fn(&Path);
    let plants: [Plant; 4] = [
        |path| mknodat(CWD, path, FileType::Fifo, Mode::from(0o600), 0).unwrap(),
        |path| symlink("/etc/hostname", path).unwrap(),
        |path| fs::create_dir(path).unwrap(),
        |path| drop(UnixListener::bind(path).unwrap()),
    ];
    for name in ["token", "hive.lock", "hive.db", "tokens.json", "audit.log"] {
        for plant in plants {
            let home = TempDir::new().unwrap();
            run(home.path(), &["token"]);
            let path = home.path().join("state").join(name);
            if path.exists() {
                fs::remove_file(&path).unwrap();
            }
            plant(&path);
            let (code, text) = ended(home.path(), &["serve"]);
            assert_eq!(code, 2, "{text}");
            let expected = format!("{} is not a regular file", path.display());
            assert!(text.contains(&expected), "{text}");
            if name == "token" {
                assert_eq!(ended(home.path(), &["token"]).0, 2);
            }
        }
    }
}
