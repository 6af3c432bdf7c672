//! Machines of one run as network namespaces with links between them. Needs root and iproute2.

use std::{fs, path::Path, process::Command as Blocking};

use anyhow::Result;
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::Command;

use crate::{packages::path_of, programs::succeed};

/// A network namespace, gone with this value and with all that runs in it.
pub(crate) struct Namespace {
    name: String,
}

/// One end of a link: the machine, its device and its address without the length of the network, which is 24 bits.
pub(crate) struct End<'a> {
    pub(crate) namespace: &'a Namespace,
    pub(crate) device: &'a str,
    pub(crate) address: &'a str,
}

impl Namespace {
    pub(crate) fn new(name: &str) -> Result<Self> {
        let name = format!("hive-{name}-{}", std::process::id());
        ip(&["netns", "add", &name])?;
        let namespace = Self { name };
        ip(&["-n", &namespace.name, "link", "set", "lo", "up"])?;
        Ok(namespace)
    }

    /// The program on this machine, without the environment of this run.
    pub(crate) fn command(&self, program: &Path) -> Command {
        // `ip netns exec` becomes the program itself.
        let ip = path_of("ip").unwrap_or_else(|| "ip".into());
        let mut command = Command::new(ip);
        command.args(["netns", "exec", &self.name]).arg(program);
        command.env_clear();
        command
    }

    /// Takes one of its devices `down` or `up`.
    pub(crate) fn set_link(&self, device: &str, state: &str) -> Result<()> {
        ip(&["-n", &self.name, "link", "set", device, state])
    }

    /// Whether somebody listens on this TCP port of IPv4.
    pub(crate) fn listens(&self, port: u16) -> Result<bool> {
        let output = Blocking::new("ip")
            .args(["netns", "exec", &self.name, "cat", "/proc/net/tcp"])
            .output()?;
        // `0A` is LISTEN (proc_net_tcp).
        let listening = format!(":{port:04X} 00000000:0000 0A ");
        Ok(String::from_utf8(output.stdout)?.contains(&listening))
    }

    pub(crate) fn pids_of(&self, program: &str) -> Result<Vec<Pid>> {
        let is_program = |pid: &Pid| {
            let path = format!("/proc/{}/comm", pid.as_raw_nonzero());
            fs::read_to_string(path).is_ok_and(|comm| comm.trim() == program)
        };
        Ok(self.pids()?.into_iter().filter(is_program).collect())
    }

    fn pids(&self) -> Result<Vec<Pid>> {
        let output = Blocking::new("ip")
            .args(["netns", "pids", &self.name])
            .output()?;
        let pids = String::from_utf8(output.stdout)?;
        let pids = pids.split_whitespace();
        Ok(pids
            .filter_map(|pid| Pid::from_raw(pid.parse().ok()?))
            .collect())
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        for pid in self.pids().unwrap_or_default() {
            // One that has ended meanwhile is gone as well.
            let _ = kill_process(pid, Signal::KILL);
        }
        if let Err(error) = ip(&["netns", "delete", &self.name]) {
            eprintln!("{} stays behind: {error:#}", self.name);
        }
    }
}

/// Lays a link between two machines, and takes it up.
pub(crate) fn link(ends: [&End<'_>; 2]) -> Result<()> {
    let [first, second] = ends;
    ip(&[
        "-n",
        &first.namespace.name,
        "link",
        "add",
        first.device,
        "type",
        "veth",
        "peer",
        "name",
        second.device,
        "netns",
        &second.namespace.name,
    ])?;
    for end in ends {
        let address = format!("{}/24", end.address);
        let name = &end.namespace.name;
        ip(&["-n", name, "address", "add", &address, "dev", end.device])?;
        end.namespace.set_link(end.device, "up")?;
    }
    Ok(())
}

fn ip(arguments: &[&str]) -> Result<()> {
    succeed(Blocking::new("ip").args(arguments))
}
