//! The steps of an installation, taken in order and said one by one.

use std::{
    fs,
    io::{self, Write},
    path::PathBuf,
    process::{Command, Stdio},
};

use super::{
    ServiceError,
    files::{self, Content, Written},
};

/// One step; each may be taken again.
#[derive(Debug)]
pub(super) enum Step {
    /// Put this into a file.
    Write {
        /// The file.
        path: PathBuf,
        /// What stands in it then.
        content: Content,
    },
    /// Remove a file, which may be gone already.
    Remove(PathBuf),
    /// Run a program of systemd's.
    Run(Vec<String>),
}

impl Step {
    /// The step as a person would write it down.
    pub(super) fn said(&self) -> String {
        match self {
            Self::Write { path, .. } => format!("write {}", path.display()),
            Self::Remove(path) => format!("remove {}", path.display()),
            Self::Run(words) => words.join(" "),
        }
    }
}

/// Takes every step; the first that fails ends it, and names what was to come.
pub(super) fn take(steps: &[Step]) -> Result<(), ServiceError> {
    for (number, step) in steps.iter().enumerate() {
        let left = || steps[number + 1..].iter().map(Step::said).collect();
        let done = match step {
            Step::Write { path, content } => {
                let written = files::write(path, content).map_err(|source| ServiceError::File {
                    path: path.clone(),
                    source,
                    left: left(),
                })?;
                match written {
                    Written::Wrote => format!("Wrote {}", path.display()),
                    Written::LeftAsItIs => format!("Left {} as it is", path.display()),
                }
            }
            Step::Remove(path) => match fs::remove_file(path) {
                Ok(()) => format!("Removed {}", path.display()),
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(source) => {
                    let path = path.clone();
                    let left = left();
                    return Err(ServiceError::File { path, source, left });
                }
            },
            Step::Run(words) => {
                run(words).map_err(|why| ServiceError::Command {
                    command: words.join(" "),
                    why,
                    left: left(),
                })?;
                format!("Ran {}", words.join(" "))
            }
        };
        writeln!(io::stderr(), "{done}")?;
    }
    Ok(())
}

fn run(words: &[String]) -> Result<(), String> {
    let Some((program, arguments)) = words.split_first() else {
        return Ok(());
    };
    let status = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("it ended with {status}")),
        Err(error) => Err(error.to_string()),
    }
}
