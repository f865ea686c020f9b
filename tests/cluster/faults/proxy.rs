//! A proxy between the program and the replicas: it knows each statement by its query id, and lets the worst happen to it.
//!
//! One connection carries one request. Everything has a bound, and nothing but loopback is spoken to.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use shardwright::names::ReplicaId;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep, timeout};

use crate::harness::{Running, block_on};
use crate::machine::runs;

/// No statement of a test takes this long.
const EXCHANGE_MAX: Duration = Duration::from_mins(4);
/// How long a request may be held.
const HOLD_MAX: Duration = Duration::from_mins(4);
/// How often flags are looked at.
const POLL: Duration = Duration::from_millis(5);
/// Statements are bounded by the program; so are requests here.
const REQUEST_BYTES_MAX: usize = 16 << 20;

/// A statement on its way to a replica.
#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) on: ReplicaId,
    pub(super) query_id: String,
    pub(super) sql: String,
}

/// What is to become of a statement.
#[derive(Debug, Clone)]
pub(super) enum Deed {
    /// Its way, and the answer its way back.
    Pass,
    /// The program is killed before it is sent.
    KillUnsent,
    /// The program is killed once it is sent; the server finds the connection closed.
    KillSent,
    /// The program is killed once the server has answered; nobody hears it.
    KillAnswered,
    /// The program is killed, and the statement reaches the server so much later.
    KillLate(Duration),
    /// The connection breaks once it is sent; the server goes on.
    CutSent,
    /// The connection breaks once the server has answered.
    CutAnswered,
    /// The server refuses it.
    Refuse,
    /// It waits until the flag is set, and goes its way.
    Hold(Arc<AtomicBool>),
}

/// Decides on each statement.
pub(super) type Plot = Box<dyn FnMut(&Request) -> Deed + Send>;

struct Shared {
    plot: Mutex<Plot>,
    /// The program's process; 0 before it is known.
    victim: AtomicI32,
    stop: AtomicBool,
    /// Replicas whose port refuses connections, as that of a dead server does.
    closed: Mutex<Vec<ReplicaId>>,
}

/// A proxy for all replicas of a cluster; dropped, it ends.
pub(super) struct Proxy {
    shared: Arc<Shared>,
    ports: BTreeMap<ReplicaId, u16>,
    thread: Option<JoinHandle<()>>,
}

fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Proxy {
    pub(super) fn new(cluster: &Running) -> Self {
        let shared = Arc::new(Shared {
            plot: Mutex::new(Box::new(|_| Deed::Pass)),
            victim: AtomicI32::new(0),
            stop: AtomicBool::new(false),
            closed: Mutex::default(),
        });
        let mut doors = Vec::new();
        let mut ports = BTreeMap::new();
        for (id, server) in cluster.replicas() {
            let door = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
            door.set_nonblocking(true).expect("a listener that does not block");
            ports.insert(id, door.local_addr().expect("an address").port());
            doors.push((id, door, server.http));
        }
        let here = Arc::clone(&shared);
        let thread = std::thread::spawn(move || {
            block_on(async {
                let open = doors.into_iter().map(|(id, door, server)| serve(Arc::clone(&here), id, door, server));
                futures_util::future::join_all(open).await;
            });
        });
        Self { shared, ports, thread: Some(thread) }
    }

    /// A config file that leads through the proxy.
    pub(super) fn config(&self, cluster: &Running) -> String {
        let mut text = "cluster = \"main\"\nendpoints = [".to_owned();
        text.extend(self.ports.values().map(|port| format!("\"http://127.0.0.1:{port}\", ")));
        text.push_str("]\nuser = \"default\"\nsandbox = true\n\n[timeouts]\nquery_seconds = 60\n\n[http_ports]\n");
        text.extend(
            cluster.replicas().map(|(id, server)| format!("\"127.0.0.1:{}\" = {}\n", server.native, self.ports[&id])),
        );
        text
    }

    /// From now on this decides.
    pub(super) fn plot(&self, plot: impl FnMut(&Request) -> Deed + Send + 'static) {
        *lock(&self.shared.plot) = Box::new(plot);
    }

    /// Nothing befalls any statement.
    pub(super) fn calm(&self) {
        self.plot(|_| Deed::Pass);
    }

    /// The process that is killed; 0 while it is not known.
    pub(super) fn victim(&self, pid: i32) {
        self.shared.victim.store(pid, Ordering::SeqCst);
    }

    /// Refuses connections to a replica that is dead, as its port does.
    pub(super) fn close(&self, on: ReplicaId) {
        lock(&self.shared.closed).push(on);
        std::thread::sleep(POLL * 10);
    }

    /// Takes connections again.
    pub(super) fn open(&self, on: ReplicaId) {
        lock(&self.shared.closed).retain(|closed| *closed != on);
        std::thread::sleep(POLL * 10);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            _ = thread.join();
        }
    }
}

impl Shared {
    fn stopped(&self) -> bool {
        self.stop.load(Ordering::SeqCst)
    }

    fn is_closed(&self, on: ReplicaId) -> bool {
        lock(&self.closed).contains(&on)
    }

    /// Kills the program as `kill -9` does, and returns when it is gone.
    async fn kill(&self) {
        let until = Instant::now() + HOLD_MAX;
        let pid = loop {
            match self.victim.load(Ordering::SeqCst) {
                0 if Instant::now() < until => sleep(Duration::from_millis(1)).await,
                pid => break pid,
            }
        };
        let Some(victim) = Pid::from_raw(pid) else { return };
        // The next run has another process.
        while runs(&pid.to_string()) && Instant::now() < until {
            _ = kill_process(victim, Signal::KILL);
            sleep(Duration::from_millis(1)).await;
        }
    }
}

/// Takes connections for one replica until the proxy ends.
async fn serve(shared: Arc<Shared>, on: ReplicaId, door: std::net::TcpListener, server: u16) {
    let port = door.local_addr().expect("an address").port();
    let mut open = Some(TcpListener::from_std(door).expect("a listener"));
    while !shared.stopped() {
        match (&open, shared.is_closed(on)) {
            (Some(_), true) => open = None,
            (None, false) => open = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.ok(),
            (None, true) => sleep(POLL).await,
            (Some(listener), false) => {
                if let Ok(Ok((client, _))) = timeout(POLL, listener.accept()).await {
                    tokio::spawn(timeout(EXCHANGE_MAX, exchange(Arc::clone(&shared), on, client, server)));
                }
            }
        }
    }
}

/// One request and what becomes of it. Whatever fails ends the connection, as it would without a proxy.
async fn exchange(shared: Arc<Shared>, on: ReplicaId, mut client: TcpStream, server: u16) -> Option<()> {
    client.set_nodelay(true).ok()?;
    let (bytes, request) = read_request(&mut client, on).await?;
    let deed = (lock(&shared.plot))(&request);
    match deed {
        Deed::Pass => {}
        Deed::Hold(flag) => {
            let until = Instant::now() + HOLD_MAX;
            while !flag.load(Ordering::SeqCst) && Instant::now() < until {
                sleep(POLL).await;
            }
        }
        Deed::KillUnsent => {
            shared.kill().await;
            return None;
        }
        Deed::KillSent => {
            let upstream = send(server, &bytes).await;
            shared.kill().await;
            drop(upstream);
            return None;
        }
        Deed::KillAnswered => {
            _ = answer(send(server, &bytes).await?).await;
            shared.kill().await;
            return None;
        }
        Deed::KillLate(by) => {
            shared.kill().await;
            drop(client);
            sleep(by).await;
            _ = answer(send(server, &bytes).await?).await;
            return None;
        }
        Deed::CutSent => {
            let upstream = send(server, &bytes).await?;
            drop(client);
            _ = answer(upstream).await;
            return None;
        }
        Deed::CutAnswered => {
            _ = answer(send(server, &bytes).await?).await;
            return None;
        }
        Deed::Refuse => {
            client.write_all(refusal().as_bytes()).await.ok()?;
            return client.shutdown().await.ok();
        }
    }
    let answer = answer(send(server, &bytes).await?).await?;
    client.write_all(&answer).await.ok()?;
    client.shutdown().await.ok()
}

fn refusal() -> String {
    let body = "Code: 999, e.displayText() = DB::Exception: refused by the test, e.what() = DB::Exception\n";
    format!("HTTP/1.1 500 Internal Server Error\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

async fn send(server: u16, bytes: &[u8]) -> Option<TcpStream> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, server)).await.ok()?;
    stream.set_nodelay(true).ok()?;
    stream.write_all(bytes).await.ok()?;
    Some(stream)
}

async fn answer(mut upstream: TcpStream) -> Option<Vec<u8>> {
    let mut answer = Vec::new();
    upstream.read_to_end(&mut answer).await.ok()?;
    Some(answer)
}

/// The request's bytes, asking the server to close the connection after it, and what it says.
async fn read_request(client: &mut TcpStream, on: ReplicaId) -> Option<(Vec<u8>, Request)> {
    let mut bytes = Vec::new();
    let head_end = loop {
        if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break at + 4;
        }
        more(client, &mut bytes).await?;
    };
    let head = String::from_utf8_lossy(&bytes[..head_end]).into_owned();
    let length = header(&head, "content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    while bytes.len() < head_end + length {
        more(client, &mut bytes).await?;
    }
    let body = bytes.split_off(head_end);
    let (line, rest) = head.split_once("\r\n")?;
    let query_id = line.split(['?', '&', ' ']).find_map(|one| one.strip_prefix("query_id="))?.to_owned();
    let mut whole = format!("{line}\r\nConnection: close\r\n{rest}").into_bytes();
    whole.extend_from_slice(&body);
    Some((whole, Request { on, query_id, sql: String::from_utf8_lossy(&body).into_owned() }))
}

async fn more(client: &mut TcpStream, bytes: &mut Vec<u8>) -> Option<()> {
    let read = client.read_buf(bytes).await.ok()?;
    (read > 0 && bytes.len() < REQUEST_BYTES_MAX).then_some(())
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let lines = head.lines().filter_map(|line| line.split_once(':'));
    lines.filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim()).next()
}
