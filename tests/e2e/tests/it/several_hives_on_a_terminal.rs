//! Hives on other machines at a terminal: which line is of which hive, bars side by side, `d`, and the questions of ssh.

use std::{fs, os::unix::fs::PermissionsExt};

use e2e::{End, Fleet, MODEL, Terminal, slowly};

#[tokio::test]
async fn every_hive_has_its_bars_and_d_leaves_the_jobs_of_all_running() {
    let fleet = Fleet::start().await.unwrap();
    slowly(&fleet.hub);
    let pull = fleet.laptop.keeper(["--all-hives", "pull", MODEL]);
    let mut keeper = Terminal::start(&pull).unwrap();
    for bar in ["gpu1  ", "gpu2  ", "  1 of 1  #", "  Total   "] {
        keeper.wait_for(bar).await.unwrap();
    }
    keeper.wait_for("d leaves it running").await.unwrap();
    keeper.press("d").unwrap();
    let finished = keeper.finish().await.unwrap();
    assert_eq!(finished.end, End::Exit(0), "{finished}");
    let running = fleet.keeper(&["--all-hives", "ps", "--state", "running"]);
    let running = running.await.unwrap();
    for hive in ["gpu1", "gpu2"] {
        let left = format!("Left {hive}: job ");
        assert!(finished.stderr.contains(&left), "{finished}");
        assert!(
            running.stdout.contains(&format!("  {hive}  download")),
            "{running}"
        );
    }
    fleet.end().await.unwrap();
}

#[tokio::test]
async fn every_line_about_a_hive_on_another_machine_names_it() {
    let fleet = Fleet::start().await.unwrap();
    // gpu1 is the hive that is used, and no option names it.
    let keeper = Terminal::start(&fleet.laptop.keeper(["pull", MODEL])).unwrap();
    let finished = keeper.finish().await.unwrap();
    assert_eq!(finished.end, End::Exit(0), "{finished}");
    for line in [
        "gpu1: job ",
        "gpu1: acme/Tiny-GGUF at ",
        "gpu1: 0 B already here, 8.0 MB to fetch",
        "gpu1: chose Q4_K_M",
        "gpu1: left out 2 other files",
        "gpu1: done, 8.0 MB",
        "  gpu1    ",
    ] {
        assert!(finished.stderr.contains(line), "{line}: {finished}");
    }
    let local = fleet.laptop.keeper(["--hive", "local", "pull", MODEL]);
    let local = Terminal::start(&local).unwrap().finish().await.unwrap();
    assert!(local.stderr.contains("Done: 8.0 MB"), "{local}");
    assert!(local.stderr.contains("Already here 0 B"), "{local}");
    fleet.end().await.unwrap();
}

#[tokio::test]
async fn ssh_asks_for_one_hive_after_the_other_and_the_others_do_not_wait_for_ever() {
    let fleet = Fleet::start().await.unwrap();
    for name in ["first", "second"] {
        let address = format!("ssh://{name}");
        fleet.add_unchecked(name, &address).await.unwrap();
    }
    let home = fleet.laptop.home();
    let (bin, log) = (home.join("bin"), home.join("ssh.log"));
    fs::create_dir_all(&bin).unwrap();
    let script = format!(
        "#!/bin/sh\n\
         case \"$*\" in *first*) host=first ;; *) host=second ;; esac\n\
         case \"$*\" in *BatchMode=no*)\n\
         echo \"asked $host\" >> {log}\n\
         printf 'Password of %s: ' $host > /dev/tty\n\
         read -r answer < /dev/tty\n\
         echo \"$answer for $host\" >> {log} ;;\n\
         esac\n\
         echo \"alice@$host: Permission denied (password).\" >&2\n\
         exit 255\n",
        log = log.display()
    );
    fs::write(bin.join("ssh"), script).unwrap();
    fs::set_permissions(bin.join("ssh"), fs::Permissions::from_mode(0o755)).unwrap();
    let mut pull = fleet.laptop.keeper(["--all-hives", "pull", MODEL]);
    pull.env("PATH", format!("{}:/usr/bin:/bin", bin.display()))
        .env("XDG_RUNTIME_DIR", home);
    let mut keeper = Terminal::start(&pull).unwrap();
    for host in ["first", "second"] {
        let question = format!("Password of {host}: ");
        keeper.wait_for(&question).await.unwrap();
        keeper.press("wrong\n").unwrap();
    }
    let finished = keeper.finish().await.unwrap();
    assert_eq!(finished.end, End::Exit(4), "{finished}");
    assert_eq!(finished.stdout.lines().count(), 2, "{finished}");
    let log = fs::read_to_string(log).unwrap();
    assert_eq!(
        log.lines().collect::<Vec<_>>(),
        [
            "asked first",
            "wrong for first",
            "asked second",
            "wrong for second"
        ]
    );
    fleet.end().await.unwrap();
}
