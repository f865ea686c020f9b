//! The engine made of containers: the compose file of this repository, for the sandbox's shape and ports.
//!
//! Untested against a real engine where this was written (no image can be pulled there); the compose file is tested to be
//! the one at the root of the repository, and the commands with a stand-in for `docker`.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::command::{ask, run, search};
use super::layout::{Layout, Member};
use super::status::MemberState;
use super::{SandboxError, compose, files, ready, render};

const ASK: Duration = Duration::from_secs(10);
/// Images may have to be pulled.
const COMPOSE: Duration = Duration::from_mins(20);
const COMPOSE_FILE: &str = "docker-compose.yml";

/// The client, with an engine that answers.
#[derive(Debug, Clone)]
pub(super) struct Docker {
    path: PathBuf,
}

impl Docker {
    /// The client in `search_path`, if it has `compose` and its engine answers; `Err` says what does not.
    pub(super) fn find(search_path: &OsStr) -> Result<Self, String> {
        let docker = Self::client(search_path)?;
        docker.ask(&["info", "--format", "{{.ServerVersion}}"])?;
        docker.ask(&["compose", "version"])?;
        Ok(docker)
    }

    /// The client, whether or not an engine answers.
    pub(super) fn client(search_path: &OsStr) -> Result<Self, String> {
        search("docker", search_path).map(|path| Self { path }).ok_or_else(|| "no `docker` on PATH".to_owned())
    }

    /// The client that `PATH` leads to, for a sandbox that was made with one.
    pub(super) fn of_this_machine() -> Result<Self, SandboxError> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        Self::client(&path).map_err(|why| SandboxError::Unusable { engine: super::Engine::Docker, why })
    }

    fn ask(&self, args: &[&str]) -> Result<String, String> {
        // The client prefaces the reason with a page about itself.
        let reason = |why: String| why.lines().last().unwrap_or_default().to_owned();
        ask(Command::new(&self.path).args(args), ASK).map_err(reason)
    }

    /// Writes the compose file and what it mounts.
    pub(super) fn configure(layout: &Layout) -> Result<(), SandboxError> {
        let state = &layout.state;
        files::write(&layout.dir, &[], &[(COMPOSE_FILE, compose::file(state))])?;
        let texts = [
            ("server.xml", render::container_server_config(state)),
            ("users.xml", render::USERS_XML.to_owned()),
            ("keeper.xml", render::KEEPER_XML.to_owned()),
        ];
        files::write(&layout.dir.join(compose::config_dir(state)), &["."], &texts)
    }

    /// Starts a member's container; Keeper's comes with the first.
    pub(super) async fn up(&self, layout: &Layout, member: Member) -> Result<(), SandboxError> {
        self.compose(layout, &["up", "--detach", &member.to_string()]).await
    }

    /// Lets a paused container go on.
    pub(super) async fn wake(&self, layout: &Layout, member: Member) -> Result<(), SandboxError> {
        match self.states(layout)?.get(&member) {
            Some(MemberState::Paused) => self.compose(layout, &["unpause", &member.to_string()]).await,
            _ => Ok(()),
        }
    }

    /// Stops containers; nothing if there are none to stop.
    pub(super) async fn stop(&self, layout: &Layout, members: &[Member]) -> Result<(), SandboxError> {
        let names: Vec<String> = members.iter().rev().map(ToString::to_string).collect();
        let args: Vec<&str> = std::iter::once("stop").chain(names.iter().map(String::as_str)).collect();
        // Without names it would mean all of them.
        if names.is_empty() { Ok(()) } else { self.compose(layout, &args).await }
    }

    /// Ends a container with SIGKILL.
    pub(super) async fn kill(&self, layout: &Layout, member: Member) -> Result<(), SandboxError> {
        self.compose(layout, &["kill", &member.to_string()]).await
    }

    /// Freezes a container.
    pub(super) async fn pause(&self, layout: &Layout, member: Member) -> Result<(), SandboxError> {
        self.compose(layout, &["pause", &member.to_string()]).await
    }

    /// Lets a paused container go on, and waits for the client.
    pub(super) fn resume(&self, layout: &Layout, member: Member) -> Result<(), SandboxError> {
        ask(&mut self.compose_command(layout, &["unpause", &member.to_string()]), ASK)
            .map(drop)
            .map_err(|_| SandboxError::NotRunning(member))
    }

    /// Removes all containers, and their data unless `keep_data`.
    pub(super) async fn remove(&self, layout: &Layout, keep_data: bool) -> Result<(), SandboxError> {
        let args = ["down", "--remove-orphans", "--volumes"];
        self.compose(layout, if keep_data { &args[..2] } else { &args }).await
    }

    fn compose_command(&self, layout: &Layout, args: &[&str]) -> Command {
        let mut command = Command::new(&self.path);
        command.args(["compose", "--project-name", &project(layout), "--file"]).arg(layout.dir.join(COMPOSE_FILE));
        command.args(args).stdin(Stdio::null());
        command
    }

    async fn compose(&self, layout: &Layout, args: &[&str]) -> Result<(), SandboxError> {
        let log = layout.dir.join("docker.log");
        run(&mut self.compose_command(layout, args), &log, COMPOSE, &mut || ()).await.map_err(|why| {
            let why = format!("docker compose {}: {why}", args.join(" "));
            SandboxError::Engine { why, tail: ready::tail(&log), log }
        })
    }

    /// What each service's container is doing; none for a service that has none.
    pub(super) fn states(&self, layout: &Layout) -> Result<BTreeMap<Member, MemberState>, SandboxError> {
        let filter = format!("label=com.docker.compose.project={}", project(layout));
        let format = r#"{{.Label "com.docker.compose.service"}} {{.State}}"#;
        let answer = self.ask(&["ps", "--all", "--filter", &filter, "--format", format]);
        let unusable = |why| SandboxError::Unusable { engine: super::Engine::Docker, why };
        Ok(states(layout, &answer.map_err(unusable)?))
    }
}

fn states(layout: &Layout, answer: &str) -> BTreeMap<Member, MemberState> {
    let lines: BTreeMap<&str, &str> = answer.lines().filter_map(|line| line.split_once(' ')).collect();
    let state = |member: Member| match lines.get(member.to_string().as_str()) {
        Some(&"running") => MemberState::Running,
        Some(&"paused") => MemberState::Paused,
        _ => MemberState::Stopped,
    };
    layout.members().into_iter().map(|member| (member, state(member))).collect()
}

/// The compose project's name: one for each directory.
fn project(layout: &Layout) -> String {
    let digest = Sha256::digest(layout.dir.as_os_str().as_encoded_bytes());
    format!("shardwright-{}", &hex::encode(digest)[..12])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::ReplicaId;
    use crate::sandbox::Engine;
    use crate::sandbox::layout::State;

    #[test]
    fn containers_are_members() {
        let state = State::new(Engine::Docker, 1, 2, &[2181, 8121, 9001, 9101, 8122, 9002, 9102]);
        let layout = Layout { dir: "/sandbox".into(), state };
        let states = states(&layout, "keeper running\ns1r1 paused\nother running\n");
        assert_eq!(states[&Member::Keeper], MemberState::Running);
        assert_eq!(states[&Member::Replica(ReplicaId::new(1, 1))], MemberState::Paused);
        assert_eq!(states[&Member::Replica(ReplicaId::new(1, 2))], MemberState::Stopped);
        assert_eq!(states.len(), 3);
    }
}
