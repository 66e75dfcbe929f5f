//! Who is at the other end of a connection on this machine: the process that holds its socket (Linux).

use std::{
    fs::{self, File},
    io,
    net::SocketAddr,
};

use crate::tree;

/// What is known of the other end.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Peer {
    /// A process of the worker.
    Worker,
    /// Another one, of this user id.
    Stranger {
        /// Its user id, if the kernel said it.
        uid: Option<u32>,
    },
    /// This system does not tell.
    Unknown,
}

/// As many files as are open at the same time while `/proc` is read.
const FILES: usize = 4;

/// Says whether the connection from `peer` to `own` was made by `root` or what descends from it. Reads `/proc`: blocks.
///
/// # Errors
/// No file can be opened now, so nothing can be said.
pub(crate) fn of(peer: SocketAddr, own: SocketAddr, root: u32) -> io::Result<Peer> {
    // What is not found for want of a file number must not be taken for what is not there.
    let room: io::Result<Vec<File>> = (0..FILES).map(|_| File::open("/dev/null")).collect();
    drop(room?);
    Ok(look(peer, own, root))
}

fn look(peer: SocketAddr, own: SocketAddr, root: u32) -> Peer {
    let (Some(peer), Some(own)) = (in_hex(peer), in_hex(own)) else { return Peer::Unknown };
    let table = match fs::read_to_string("/proc/net/tcp") {
        Ok(table) => table,
        Err(problem) if problem.kind() == io::ErrorKind::NotFound => return Peer::Unknown,
        Err(_) => return Peer::Stranger { uid: None },
    };
    // A program may speak IPv4 through an IPv6 socket; the address then ends in the one of IPv4.
    let wide = || fs::read_to_string("/proc/net/tcp6").unwrap_or_default();
    let Some((uid, inode)) = socket(&table, &peer, &own).or_else(|| socket(&wide(), &peer, &own)) else {
        return Peer::Stranger { uid: None };
    };
    let mut tree = tree::below(root);
    tree.push(root);
    match tree.iter().any(|pid| holds(*pid, inode)) {
        true => Peer::Worker,
        false => Peer::Stranger { uid: Some(uid) },
    }
}

/// `0100007F:1F90`, as the kernel writes 127.0.0.1:8080 on a little-endian machine.
fn in_hex(address: SocketAddr) -> Option<String> {
    let SocketAddr::V4(address) = address else { return None };
    let word = u32::from_ne_bytes(address.ip().octets());
    Some(format!("{word:08X}:{:04X}", address.port()))
}

/// User id and inode of the socket that is bound to `local` and connected to `remote`.
fn socket(table: &str, local: &str, remote: &str) -> Option<(u32, u64)> {
    table.lines().skip(1).find_map(|line| {
        let mut fields = line.split_ascii_whitespace().skip(1);
        let is_it = fields.next()?.ends_with(local) && fields.next()?.ends_with(remote);
        if !is_it {
            return None;
        }
        // After the addresses: st, queues, timer, retransmits, uid, timeout, inode.
        let mut fields = fields.skip(4);
        let uid = fields.next()?.parse().ok()?;
        let inode = fields.nth(1)?.parse().ok()?;
        (inode != 0).then_some((uid, inode))
    })
}

fn holds(pid: u32, inode: u64) -> bool {
    let wanted = format!("socket:[{inode}]");
    let files = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    files.filter_map(|file| fs::read_link(file.path()).ok()).any(|target| target.as_os_str() == wanted.as_str())
}

#[cfg(test)]
mod tests {
    use super::socket;

    const TABLE: &str = "\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 11 1 0 100 0 0 10 0
   1: 0100007F:A000 0100007F:1F90 01 00000000:00000000 00:00000000 00000000  1001        0 4242 2 0 20 4 30 10 -1
   2: 0000000000000000FFFF00000100007F:B000 0000000000000000FFFF00000100007F:1F90 01 00000000:00000000 00:00000000 00000000     0        0 77 2 0
   3: 0100007F:C000 0100007F:1F90 06 00000000:00000000 00:00000000 00000000     0        0 0 2 0
";

    #[test]
    fn a_socket_is_found_by_both_its_ends() {
        assert_eq!(socket(TABLE, "0100007F:A000", "0100007F:1F90"), Some((1001, 4242)));
        assert_eq!(socket(TABLE, "0100007F:B000", "0100007F:1F90"), Some((0, 77)), "IPv4 through IPv6");
        assert_eq!(socket(TABLE, "0100007F:C000", "0100007F:1F90"), None, "nobody holds it any more");
        assert_eq!(socket(TABLE, "0100007F:1F90", "0100007F:A000"), None);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn the_process_behind_a_connection_is_known() {
        use super::{Peer, of};
        use std::net::{TcpListener, TcpStream};
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (server, peer) = listener.accept().unwrap();
        let own = server.local_addr().unwrap();
        assert_eq!(of(peer, own, std::process::id()).unwrap(), Peer::Worker);
        assert!(matches!(of(peer, own, u32::MAX).unwrap(), Peer::Stranger { uid: Some(_) }));
        drop(client);
    }
}
