//! Who may talk to a worker's Runtime API: the worker and what it started, and nobody else on the machine.

use std::{
    fmt,
    fs::File,
    io::{self, Read},
    net::SocketAddr,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use tokio::{
    net::TcpStream,
    sync::watch,
    task::spawn_blocking,
    time::{sleep, timeout},
};

use crate::peer::{self, Peer};

/// How long a connection may be there before it is known whose it is.
const STARTING: Duration = Duration::from_secs(10);
/// How long one waits for a free file number before one looks again.
const NO_ROOM: Duration = Duration::from_millis(20);

/// Something that was not let in.
#[derive(Debug)]
pub(crate) enum Knock {
    /// A connection from a process that is not the worker's, with its user id.
    Stranger(Option<u32>),
    /// A request without the secret path.
    WithoutSecret,
    /// A second `next` while one waits.
    SecondNext,
}

impl fmt::Display for Knock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("refused at the Runtime API: ")?;
        match self {
            Knock::Stranger(Some(uid)) => write!(f, "a process of user {uid} that the function did not start"),
            Knock::Stranger(None) => f.write_str("a connection that no process holds any more"),
            Knock::WithoutSecret => f.write_str("a request without this worker's secret path"),
            Knock::SecondNext => f.write_str("a second request for the next invocation while one waits"),
        }
    }
}

pub(crate) type OnKnock = Box<dyn Fn(Knock) + Send + Sync>;

/// Guards one worker's Runtime API.
pub(crate) struct Door {
    /// The path that requests begin with, of our own bootstraps. Other runtimes take `host:port` and nothing more.
    secret: Option<String>,
    /// The root of the worker's processes.
    root: watch::Sender<Option<u32>>,
    on_knock: OnKnock,
    knocks: AtomicU64,
}

impl Door {
    pub(crate) fn new(has_secret: bool, on_knock: OnKnock) -> io::Result<Self> {
        let secret = if has_secret { Some(secret()?) } else { None };
        Ok(Self { secret, root: watch::Sender::new(None), on_knock, knocks: AtomicU64::new(0) })
    }

    pub(crate) fn secret(&self) -> Option<&str> {
        self.secret.as_deref()
    }

    pub(crate) fn opens_to(&self, root: u32) {
        self.root.send_replace(Some(root));
    }

    /// Whether a connection comes from the worker; where the system does not tell, the secret has to do.
    pub(crate) async fn lets_in(&self, stream: &TcpStream) -> bool {
        let addresses = stream.peer_addr().and_then(|peer| Ok((peer, stream.local_addr()?)));
        let Ok((peer, own)) = addresses else { return false };
        match self.ask(peer, own).await {
            Some(Peer::Worker | Peer::Unknown) => true,
            Some(Peer::Stranger { uid }) => {
                self.refuse(Knock::Stranger(uid));
                false
            }
            None => false,
        }
    }

    async fn ask(&self, peer: SocketAddr, own: SocketAddr) -> Option<Peer> {
        let mut root = self.root.subscribe();
        let asked = async {
            let root = root.wait_for(Option::is_some).await.ok().and_then(|root| *root)?;
            loop {
                match spawn_blocking(move || peer::of(peer, own, root)).await.ok()? {
                    Ok(peer) => return Some(peer),
                    Err(_) => sleep(NO_ROOM).await,
                }
            }
        };
        timeout(STARTING, asked).await.ok()?
    }

    /// What is left of a path behind the secret, if it is there.
    pub(crate) fn behind<'p>(&self, path: &'p str) -> Option<&'p str> {
        let Some(secret) = &self.secret else { return Some(path) };
        let (given, rest) = path.strip_prefix('/')?.split_at_checked(secret.len())?;
        // The time this takes does not tell how much of it was right.
        let differences = given.bytes().zip(secret.bytes()).fold(0, |all, (a, b)| all | (a ^ b));
        (differences == 0).then_some(rest)
    }

    /// Tells of a refusal; of many, fewer and fewer.
    pub(crate) fn refuse(&self, knock: Knock) {
        if (self.knocks.fetch_add(1, Ordering::Relaxed) + 1).is_power_of_two() {
            (self.on_knock)(knock);
        }
    }
}

/// 128 bits that nobody can guess, in hexadecimal digits.
fn secret() -> io::Result<String> {
    let mut bytes = [0; 16];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(format!("{:032x}", u128::from_ne_bytes(bytes)))
}

#[cfg(test)]
mod tests {
    use super::Door;

    #[test]
    fn only_the_whole_secret_opens() {
        let door = Door::new(true, Box::new(|_| {})).unwrap();
        let secret = door.secret().unwrap().to_owned();
        assert_eq!(secret.len(), 32);
        let path = format!("/{secret}/2018-06-01/x");
        assert_eq!(door.behind(&path), Some("/2018-06-01/x"));
        for wrong in ["", "/", "/2018-06-01/x", &path[..20], &path.replace(&secret[..1], "g"), &path[1..]] {
            assert_eq!(door.behind(wrong), None, "{wrong}");
        }
        let other = Door::new(true, Box::new(|_| {})).unwrap();
        assert_eq!(other.behind(&path), None);
        let without = Door::new(false, Box::new(|_| {})).unwrap();
        assert_eq!(without.behind("/2018-06-01/x"), Some("/2018-06-01/x"));
    }
}
