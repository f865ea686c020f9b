//! `up` and `down`, and what can be done to a sandbox that is up.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::Signal;

use super::docker::Docker;
use super::engine::{self, Provided};
use super::layout::{Layout, Member, ReplicaPorts, State, absolute};
use super::ports::{self, Reserved};
use super::process::{self, Identity, Life};
use super::status::MemberState;
use super::{Engine, SandboxError, SandboxOptions, SandboxStatus, holder, http, ready, room, status};
use crate::names::ReplicaId;

/// 150 MB each with nothing in them.
const SERVERS_MAX: u32 = 16;
/// A server writes its logs and tables at once, and fails in odd ways where it cannot.
const NEEDED_BYTES: u64 = 100_000_000;
const QUERY_SECONDS_MAX: u64 = 60;

/// A sandbox whose members all served when [`up`] returned. Dropping it stops nothing.
#[derive(Debug)]
pub struct Sandbox {
    layout: Layout,
    engine: Provided,
    started: Vec<Member>,
}

/// Starts a sandbox, or what is missing of the one that is in the directory; data stays.
///
/// If a member does not become ready, every process that this call started is stopped again.
pub async fn up(options: &SandboxOptions, progress: &mut dyn FnMut(&str)) -> Result<Sandbox, SandboxError> {
    up_unless(std::future::pending(), options, progress).await
}

/// [`up`], given up when `interrupted` ends first: what was started is stopped, an installation is ended.
pub async fn up_unless(
    interrupted: impl Future<Output = ()>,
    options: &SandboxOptions,
    progress: &mut dyn FnMut(&str),
) -> Result<Sandbox, SandboxError> {
    tokio::pin!(interrupted);
    let dir = absolute(&options.dir)?;
    fs::create_dir_all(&dir).map_err(SandboxError::io("making", &dir))?;
    let _lock = lock(&dir)?;
    let mut prepared = tokio::select! {
        prepared = prepare(dir, options, progress) => prepared?,
        () = &mut interrupted => return Err(SandboxError::Interrupted),
    };
    let sandbox = &mut prepared.sandbox;
    let healed = tokio::select! {
        healed = sandbox.heal(progress) => healed,
        () = interrupted => Err(SandboxError::Interrupted),
    };
    match healed {
        Ok(()) => Ok(prepared.sandbox),
        Err(error) => {
            progress("stopping what was started");
            sandbox.stop_started().await?;
            Err(error)
        }
    }
}

/// A sandbox that is written down and not started, and the claim on its ports.
struct Prepared {
    sandbox: Sandbox,
    _reserved: Option<Reserved>,
}

async fn prepare(
    dir: PathBuf,
    options: &SandboxOptions,
    progress: &mut dyn FnMut(&str),
) -> Result<Prepared, SandboxError> {
    let known = Layout::read(&dir)?;
    let kind = engine::choose(options, &dir, known.as_ref().map(|layout| layout.state.engine), progress)?;
    let replicas = options.replicas.unwrap_or(match &known {
        Some(layout) => layout.state.replicas,
        None => kind.default_replicas(),
    });
    let shape = Shape { engine: kind, shards: options.shards, replicas };
    shape.check()?;
    if let Some(State { shards, replicas, .. }) = known.as_ref().map(|layout| &layout.state)
        && (*shards, *replicas) != (shape.shards, shape.replicas)
    {
        return Err(SandboxError::OtherShape { dir, shards: *shards, replicas: *replicas });
    }
    let engine = Provided::get(kind, options, &dir, progress).await?;
    room::ensure(&dir, NEEDED_BYTES)?;
    if let Some(layout) = &known {
        wait_for_endings(layout).await?;
    }
    let (layout, reserved) = lay_out(dir, known, &shape)?;
    Ok(Prepared { sandbox: Sandbox { layout, engine, started: vec![] }, _reserved: reserved })
}

/// Stops every process of the sandbox in `dir`, and removes its files unless `keep_data`. False if there is none.
pub async fn down(dir: &Path, keep_data: bool, progress: &mut dyn FnMut(&str)) -> Result<bool, SandboxError> {
    let Some(layout) = Layout::read(dir)? else { return Ok(false) };
    let _lock = lock(&layout.dir)?;
    if layout.state.engine == Engine::Docker {
        progress("removing its containers");
        Docker::of_this_machine()?.remove(&layout, keep_data).await?;
    } else {
        progress(&format!("stopping {} processes", layout.processes().len()));
        stop_all(&layout, &layout.members()).await?;
    }
    if !keep_data {
        remove_files(&layout)?;
    }
    Ok(true)
}

/// What a new sandbox is to be.
struct Shape {
    engine: Engine,
    shards: u32,
    replicas: u32,
}

impl Shape {
    fn check(&self) -> Result<(), SandboxError> {
        let (shards, replicas) = (self.shards, self.replicas);
        match shards.checked_mul(replicas) {
            Some(1..=SERVERS_MAX) => Ok(()),
            _ => Err(SandboxError::Shape { shards, replicas, servers_max: SERVERS_MAX }),
        }
    }
}

/// One command at a time; the lock ends with the process that holds it.
fn lock(dir: &Path) -> Result<File, SandboxError> {
    let path = dir.join("lock");
    let file = File::create(&path).map_err(SandboxError::io("opening", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(SandboxError::Busy(dir.to_owned())),
        Err(TryLockError::Error(error)) => Err(SandboxError::io("locking", &path)(error)),
    }
}

/// A server that was killed a moment ago still holds its ports.
async fn wait_for_endings(layout: &Layout) -> Result<(), SandboxError> {
    for member in layout.members() {
        if let Some(process) = layout.process(member)
            && !process.wait_ended().await
        {
            return Err(unstoppable(member, &process));
        }
    }
    Ok(())
}

/// The sandbox's layout, written down, and its ports if they are new: to be held until servers listen there. Ports stay
/// as they were, unless nothing runs and somebody else has taken one.
fn lay_out(dir: PathBuf, known: Option<Layout>, shape: &Shape) -> Result<(Layout, Option<Reserved>), SandboxError> {
    let usable =
        |layout: &Layout| !layout.processes().is_empty() || layout.state.all_ports().into_iter().all(ports::is_free);
    let (layout, reserved) = if let Some(layout) = known.filter(usable) {
        (layout, None)
    } else {
        let Shape { engine, shards, replicas } = *shape;
        let reserved = ports::reserve(State::ports_needed(engine, shards, replicas))?;
        let state = State::new(engine, shards, replicas, &reserved.ports);
        (Layout { dir, state }, Some(reserved))
    };
    layout.write()?;
    let config = layout.config_file();
    fs::write(&config, super::render::client_config(&layout.state)).map_err(SandboxError::io("writing", &config))?;
    Ok((layout, reserved))
}

/// Stops `members`, servers before ZooKeeper: a server that lost its session takes longer to end.
async fn stop_all(layout: &Layout, members: &[Member]) -> Result<(), SandboxError> {
    let (keeper, servers): (Vec<Member>, Vec<Member>) = members.iter().partition(|member| **member == Member::Keeper);
    for member in members {
        if let Some(process) = layout.process(*member) {
            process.signal(Signal::CONT).map_err(signal_failed(*member))?;
        }
    }
    let stopped = futures_util::future::join_all(servers.iter().map(|member| stop(layout, *member))).await;
    stopped.into_iter().collect::<Result<(), _>>()?;
    for member in keeper {
        stop(layout, member).await?;
    }
    Ok(())
}

async fn stop(layout: &Layout, member: Member) -> Result<(), SandboxError> {
    let Some(process) = layout.process(member) else { return Ok(()) };
    let ended = process.stop().await.map_err(signal_failed(member))?;
    if ended { Ok(()) } else { Err(unstoppable(member, &process)) }
}

fn unstoppable(member: Member, process: &Identity) -> SandboxError {
    SandboxError::Unstoppable { member, pid: process.pid.as_raw_nonzero().get() }
}

fn signal_failed(member: Member) -> impl FnOnce(io::Error) -> SandboxError {
    move |source| SandboxError::Io { what: format!("signalling {member}"), source }
}

/// Removes what a sandbox makes, by name, and the directory if nothing else is in it.
fn remove_files(layout: &Layout) -> Result<(), SandboxError> {
    for member in layout.members() {
        let dir = layout.member_dir(member);
        gone(fs::remove_dir_all(&dir)).map_err(SandboxError::io("removing", &dir))?;
    }
    let configs = layout.dir.join("cluster-configs");
    if layout.state.engine == Engine::Docker {
        gone(fs::remove_dir_all(&configs)).map_err(SandboxError::io("removing", &configs))?;
    }
    let docker = ["docker-compose.yml", "docker.log"];
    let own = ["shardwright.toml", "install.log", "state.json.new", "state.json", "lock"].into_iter().chain(docker);
    for file in own.map(|name| layout.dir.join(name)) {
        gone(fs::remove_file(&file)).map_err(SandboxError::io("removing", &file))?;
    }
    match fs::remove_dir(&layout.dir) {
        Err(error) if error.kind() != io::ErrorKind::DirectoryNotEmpty => gone(Err(error)),
        _ => Ok(()),
    }
    .map_err(SandboxError::io("removing", &layout.dir))
}

/// What is not there is as good as removed.
fn gone(removed: io::Result<()>) -> io::Result<()> {
    removed.or_else(|error| if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) })
}

impl Layout {
    /// The member's process, if it lives.
    pub(super) fn process(&self, member: Member) -> Option<Identity> {
        Identity::read(&self.record(member)).filter(|process| process.life() != Life::Gone)
    }

    /// All processes that live.
    pub(super) fn processes(&self) -> Vec<Identity> {
        self.members().into_iter().filter_map(|member| self.process(member)).collect()
    }
}

impl Sandbox {
    /// The sandbox in `dir` as it is, whether its members run or not.
    pub async fn open(dir: &Path) -> Result<Self, SandboxError> {
        let layout = Layout::read(dir)?.ok_or_else(|| SandboxError::Absent(dir.to_owned()))?;
        let options = SandboxOptions { install: false, ..SandboxOptions::new(dir) };
        let engine = Provided::get(layout.state.engine, &options, dir, &mut |_| {}).await?;
        Ok(Self { layout, engine, started: vec![] })
    }

    /// Starts what does not run, wakes what is paused, and waits until everything serves.
    async fn heal(&mut self, progress: &mut dyn FnMut(&str)) -> Result<(), SandboxError> {
        let missing = self.missing()?;
        self.ensure_ports(&missing)?;
        let (keeper, servers): (Vec<Member>, Vec<Member>) =
            missing.into_iter().partition(|member| *member == Member::Keeper);
        for member in keeper {
            progress(&format!("starting {} on 127.0.0.1:{}", self.keeper_name(), self.layout.state.keeper_port));
            // Noted first: a start that fails half-way is stopped with the rest.
            self.started.push(member);
            self.launch(member).await?;
            self.wait_ready(member).await?;
        }
        for member in servers {
            progress(&format!("starting {member}"));
            self.started.push(member);
            self.launch(member).await?;
        }
        let members = self.layout.members();
        futures_util::future::try_join_all(members.into_iter().map(|member| self.wait_ready(member))).await?;
        let version = ready::wait_together(&self.layout).await?;
        if self.layout.state.version.as_ref() != Some(&version) {
            progress(&format!("ClickHouse {version} serves"));
            self.layout.state.version = Some(version);
            self.layout.write()?;
        }
        Ok(())
    }

    /// A server that finds its port taken ends with a message about sockets; this says who has it. A container's ports are
    /// for its engine to look after.
    fn ensure_ports(&self, members: &[Member]) -> Result<(), SandboxError> {
        let own =
            |member: &Member| self.layout.ports(*member).into_iter().map(|port| (*member, port)).collect::<Vec<_>>();
        let is_process = !matches!(self.engine, Provided::Docker(_));
        match members.iter().filter(|_| is_process).flat_map(own).find(|(_, port)| !ports::is_free_soon(*port)) {
            None => Ok(()),
            Some((member, port)) => Err(SandboxError::PortTaken { member, port, holder: holder::of(port) }),
        }
    }

    fn keeper_name(&self) -> &'static str {
        if matches!(self.engine, Provided::Debian(_)) { "ZooKeeper" } else { "Keeper" }
    }

    /// The members that do not run.
    fn missing(&self) -> Result<Vec<Member>, SandboxError> {
        if let Provided::Docker(docker) = &self.engine {
            let states = docker.states(&self.layout)?;
            return Ok(states
                .into_iter()
                .filter(|(_, state)| *state == MemberState::Stopped)
                .map(|(id, _)| id)
                .collect());
        }
        Ok(self.layout.members().into_iter().filter(|member| self.layout.process(*member).is_none()).collect())
    }

    async fn launch(&self, member: Member) -> Result<(), SandboxError> {
        self.engine.configure(&self.layout, member)?;
        match (&self.engine, self.engine.program(&self.layout, member)) {
            (Provided::Docker(docker), _) => docker.up(&self.layout, member).await,
            (_, None) => Ok(()),
            (_, Some(program)) => process::start(&program, &self.layout.record(member), &self.layout.output(member))
                .await
                .map(|_| ())
                .map_err(|error| ready::not_ready(&self.layout, member, &error.to_string())),
        }
    }

    async fn wait_ready(&self, member: Member) -> Result<(), SandboxError> {
        if let Provided::Docker(docker) = &self.engine {
            docker.wake(&self.layout, member).await?;
            return ready::wait(&self.layout, member, None).await;
        }
        let ended = || ready::not_ready(&self.layout, member, "its process has ended");
        let process = self.layout.process(member).ok_or_else(ended)?;
        process.signal(Signal::CONT).map_err(signal_failed(member))?;
        ready::wait(&self.layout, member, Some(&process)).await
    }

    async fn stop_started(&self) -> Result<(), SandboxError> {
        if let Provided::Docker(docker) = &self.engine {
            return docker.stop(&self.layout, &self.started).await;
        }
        stop_all(&self.layout, &self.started).await
    }

    /// The members that [`up`] had to start; empty if the sandbox was up already.
    pub fn started(&self) -> &[Member] {
        &self.started
    }

    /// Its `shardwright.toml`.
    pub fn config_path(&self) -> PathBuf {
        self.layout.config_file()
    }

    /// Ports by replica.
    pub fn replicas(&self) -> impl Iterator<Item = (ReplicaId, ReplicaPorts)> + '_ {
        self.layout.state.ports.iter().map(|(id, ports)| (*id, *ports))
    }

    /// How its members are now.
    pub fn status(&self) -> Result<SandboxStatus, SandboxError> {
        status::of(&self.layout)
    }

    /// Runs one statement on a replica as user `default`, at most a minute; the answer's body.
    pub async fn query(&self, id: ReplicaId, sql: &str) -> Result<String, SandboxError> {
        let member = Member::Replica(id);
        let ports = self.layout.state.ports.get(&id).ok_or(SandboxError::NotRunning(member))?;
        let answer = http::query(ports.http, "", sql, Duration::from_secs(QUERY_SECONDS_MAX)).await;
        answer.map_err(|why| SandboxError::Query { member, why })
    }

    /// Starts a member that was stopped and waits until it serves; nothing if it runs.
    pub async fn start(&self, member: Member) -> Result<(), SandboxError> {
        if !self.layout.members().contains(&member) {
            return Err(SandboxError::NotRunning(member));
        }
        if self.missing()?.contains(&member) {
            self.ensure_ports(&[member])?;
            self.launch(member).await?;
        }
        self.wait_ready(member).await
    }

    /// Ends a member in order; nothing if it does not run.
    pub async fn stop(&self, member: Member) -> Result<(), SandboxError> {
        match &self.engine {
            Provided::Docker(docker) => docker.stop(&self.layout, &[member]).await,
            _ => stop(&self.layout, member).await,
        }
    }

    /// Ends a member with SIGKILL.
    pub async fn kill(&self, member: Member) -> Result<(), SandboxError> {
        if let Provided::Docker(docker) = &self.engine {
            return docker.kill(&self.layout, member).await;
        }
        let process = self.layout.process(member).ok_or(SandboxError::NotRunning(member))?;
        let ended = process.kill().await.map_err(signal_failed(member))?;
        if ended { Ok(()) } else { Err(unstoppable(member, &process)) }
    }

    /// Stops a member in its tracks (SIGSTOP): its connections stay open and nothing answers.
    pub async fn pause(&self, member: Member) -> Result<(), SandboxError> {
        if let Provided::Docker(docker) = &self.engine {
            return docker.pause(&self.layout, member).await;
        }
        let process = self.layout.process(member).ok_or(SandboxError::NotRunning(member))?;
        let paused = process.pause().await.map_err(signal_failed(member))?;
        if paused { Ok(()) } else { Err(SandboxError::NotRunning(member)) }
    }

    /// Lets a paused member go on.
    pub fn resume(&self, member: Member) -> Result<(), SandboxError> {
        if let Provided::Docker(docker) = &self.engine {
            return docker.resume(&self.layout, member);
        }
        let process = self.layout.process(member).ok_or(SandboxError::NotRunning(member))?;
        let sent = process.signal(Signal::CONT).map_err(signal_failed(member))?;
        if sent { Ok(()) } else { Err(SandboxError::NotRunning(member)) }
    }
}
