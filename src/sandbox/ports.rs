//! Free ports on loopback, in blocks that one sandbox has to itself.
//!
//! A port that is free when it is looked at may be taken before the server listens. So a block is claimed first, by an
//! abstract Unix socket of its name: like ports, these belong to the network namespace, and they end with their process.

use std::net::{Ipv4Addr, TcpListener};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::time::Duration;

use super::SandboxError;

/// Below Linux's ephemeral range (32768 and up): no outgoing connection can take a port between choice and use.
const FIRST: u16 = 20_000;
const BLOCKS: u16 = 180;
/// Sixteen servers of three ports, ZooKeeper, and room.
const BLOCK_PORTS: u16 = 64;

/// How often a port that is taken is looked at before that is believed.
const LOOKS: u32 = 10;
const BETWEEN_LOOKS: Duration = Duration::from_millis(30);

/// Free ports; no other sandbox chooses them before this is dropped.
#[derive(Debug)]
pub(super) struct Reserved {
    pub(super) ports: Vec<u16>,
    _claim: UnixListener,
}

/// Chooses `count` free ports next to each other. Sandboxes begin their search at different places, so that one which
/// is down for a while seldom finds its ports taken.
pub(super) fn reserve(count: usize) -> Result<Reserved, SandboxError> {
    let start = std::process::id() % u32::from(BLOCKS);
    let blocks = (0..u32::from(BLOCKS)).filter_map(|i| u16::try_from((start + i) % u32::from(BLOCKS)).ok());
    let found = blocks.map(|block| FIRST + block * BLOCK_PORTS).find_map(|first| reserve_block(first, count));
    found.ok_or(SandboxError::Ports { from: FIRST, to: FIRST + BLOCKS * BLOCK_PORTS - 1 })
}

fn reserve_block(first: u16, count: usize) -> Option<Reserved> {
    let name = SocketAddr::from_abstract_name(format!("shardwright-sandbox-ports-{first}")).ok()?;
    let claim = UnixListener::bind_addr(&name).ok()?;
    let ports: Vec<u16> = (first..first + BLOCK_PORTS).take(count).collect();
    let all_free = ports.len() == count && ports.iter().all(|&port| is_free(port));
    all_free.then_some(Reserved { ports, _claim: claim })
}

/// Can a server listen there now?
pub(super) fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

/// The same, for whoever gives up where it is not. A process that another thread is beginning has all that is open here until it runs
/// its own program, and so a port that was being looked at.
pub(super) fn is_free_soon(port: u16) -> bool {
    (0..LOOKS).any(|look| {
        if look > 0 {
            std::thread::sleep(BETWEEN_LOOKS);
        }
        is_free(port)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserved_ports_are_free_and_nobody_elses() {
        let (one, other) = (reserve(49).unwrap(), reserve(13).unwrap());
        assert_eq!((one.ports.len(), other.ports.len()), (49, 13));
        assert!(one.ports.iter().all(|&port| is_free_soon(port) && !other.ports.contains(&port)));
    }

    #[test]
    fn a_block_with_a_port_in_use_is_passed_over() {
        let first = reserve(1).unwrap().ports[0];
        let _listener = TcpListener::bind((Ipv4Addr::LOCALHOST, first + 4)).unwrap();
        assert!(reserve_block(first, 13).is_none());
        assert!(reserve(65).is_err(), "more than a block holds");
    }
}
