//! Holds every system call that a hive made to the filter of its unit.

use std::{collections::BTreeSet, fs, path::Path, process::Command};

use anyhow::{Context, Result, ensure};

/// Fails unless the filter of this unit allows each of these calls, which `strace -f` wrote down.
pub(super) fn allows(unit: &Path, calls: &Path) -> Result<()> {
    let allowed = allowed(unit)?;
    let calls = fs::read_to_string(calls)?;
    let made: BTreeSet<&str> = calls.lines().filter_map(name_of).collect();
    ensure!(made.contains("openat"), "no system call was written down");
    let forbidden: Vec<&&str> = made
        .iter()
        .filter(|call| !allowed.contains(**call))
        .collect();
    ensure!(
        forbidden.is_empty(),
        "the unit forbids what hive does: {forbidden:?}"
    );
    eprintln!(
        "The filter of the unit allows all {} kinds of system calls that a hive makes",
        made.len()
    );
    Ok(())
}

fn allowed(unit: &Path) -> Result<BTreeSet<String>> {
    let unit = fs::read_to_string(unit)?;
    let mut allowed = BTreeSet::new();
    for filter in unit
        .lines()
        .filter_map(|line| line.strip_prefix("SystemCallFilter="))
    {
        match filter.strip_prefix('~') {
            Some(denied) => {
                for call in members(denied)? {
                    allowed.remove(&call);
                }
            }
            None => allowed.extend(members(filter)?),
        }
    }
    Ok(allowed)
}

/// The calls of a set, those of the sets in it included (`systemd-analyze syscall-filter`).
fn members(set: &str) -> Result<Vec<String>> {
    let output = Command::new("systemd-analyze")
        .args(["syscall-filter", "--no-pager", set])
        .output()?;
    ensure!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout)?;
    let mut calls = Vec::new();
    for name in text
        .lines()
        .skip(1)
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
    {
        if name.starts_with('@') {
            calls.extend(members(name).with_context(|| name.to_owned())?);
        } else {
            calls.push(name.to_owned());
        }
    }
    Ok(calls)
}

/// `123 openat(AT_FDCWD, …` is a call of `openat`; a resumed one was counted when it began.
fn name_of(line: &str) -> Option<&str> {
    let (_, call) = line.split_once(' ')?;
    let (name, _) = call.trim_start().split_once('(')?;
    name.chars()
        .all(|c| c.is_ascii_alphanumeric() || c == '_')
        .then_some(name)
}
