//! Free ports on loopback.

use std::net::{Ipv4Addr, TcpListener};

use super::SandboxError;

/// Below Linux's ephemeral range (32768 and up): no outgoing connection can take a port between choice and use.
const FIRST: u16 = 20_000;
const LAST: u16 = 31_999;

/// Chooses `count` free ports. Two sandboxes started at once begin their search at different places.
pub(super) fn choose(count: usize) -> Result<Vec<u16>, SandboxError> {
    let span = u32::from(LAST - FIRST) + 1;
    let start = std::process::id().wrapping_mul(97) % span;
    let candidates = (0..span).filter_map(|i| u16::try_from((start + i) % span).ok()).map(|offset| FIRST + offset);
    let ports: Vec<u16> = candidates.filter(|&port| is_free(port)).take(count).collect();
    if ports.len() < count { Err(SandboxError::Ports { from: FIRST, to: LAST }) } else { Ok(ports) }
}

/// Can a server listen there now?
pub(super) fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chosen_ports_are_free_and_distinct() {
        let mut ports = choose(13).unwrap();
        assert!(ports.iter().all(|&port| is_free(port)));
        ports.sort_unstable();
        ports.dedup();
        assert_eq!(ports.len(), 13);
    }

    #[test]
    fn a_port_in_use_is_not_free() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        assert!(!is_free(listener.local_addr().unwrap().port()));
    }
}
