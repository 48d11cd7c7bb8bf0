//! A proxy between the browser and the server, which cuts connections or holds streams back.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

/// A proxy. It ends with the test program.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    cuts: Arc<Mutex<Cuts>>,
}

/// After how many bytes of a stream of events its connection is cut.
struct Cuts {
    /// Whether events are held back instead: some proxies send a response when it is complete.
    holds: bool,
    /// The events that were held back.
    held: Vec<u8>,
    left: usize,
    lengths: Range<usize>,
    dice: fastrand::Rng,
}

impl Cuts {
    fn next(&mut self) -> Option<usize> {
        self.left = self.left.checked_sub(1)?;
        Some(self.dice.usize(self.lengths.clone()))
    }
}

impl Proxy {
    /// A proxy in front of a server, which cuts that many streams of events after some bytes, the
    /// head of the response included.
    pub(crate) fn cutting(streams: usize, lengths: Range<usize>, server: SocketAddr) -> Proxy {
        let dice = fastrand::Rng::with_seed(29);
        Proxy::before(server, Cuts { holds: false, held: Vec::new(), left: streams, lengths, dice })
    }

    /// A proxy that sends the head of a stream of events, and none of the events.
    pub(crate) fn holding(server: SocketAddr) -> Proxy {
        Proxy::before(
            server,
            Cuts { holds: true, held: Vec::new(), left: 0, lengths: 0..1, dice: fastrand::Rng::with_seed(29) },
        )
    }

    fn before(server: SocketAddr, cuts: Cuts) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        let cuts = Arc::new(Mutex::new(cuts));
        let shared = Arc::clone(&cuts);
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                // The server may have ended.
                if let Ok(server) = TcpStream::connect(server) {
                    connect(client, server, &shared);
                }
            }
        });
        Proxy { address, cuts }
    }

    /// The events that were held back.
    pub(crate) fn held(&self) -> String {
        let cuts = self.cuts.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&cuts.held).into_owned()
    }

    /// How many streams are yet to be cut.
    pub(crate) fn left(&self) -> usize {
        self.cuts.lock().unwrap_or_else(PoisonError::into_inner).left
    }
}

/// Passes bytes on in both directions until one side ends.
fn connect(client: TcpStream, server: TcpStream, cuts: &Arc<Mutex<Cuts>>) {
    let (mut from_client, mut to_server) = (copy(&client), copy(&server));
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut from_client, &mut to_server);
        let _ = to_server.shutdown(Shutdown::Both);
    });
    let cuts = Arc::clone(cuts);
    std::thread::spawn(move || {
        let _ = answer(server, &client, &cuts);
        let _ = client.shutdown(Shutdown::Both);
    });
}

fn copy(stream: &TcpStream) -> TcpStream {
    stream.try_clone().expect("a socket has several handles")
}

fn answer(mut server: TcpStream, mut client: &TcpStream, cuts: &Mutex<Cuts>) -> std::io::Result<()> {
    let (mut part, mut rest) = ([0; 16 << 10], None);
    loop {
        let read = server.read(&mut part)?;
        let part = &part[..read];
        if read == 0 {
            return Ok(());
        }
        if rest.is_none() && part.windows(17).any(|window| window == b"text/event-stream") {
            let known = || cuts.lock().unwrap_or_else(PoisonError::into_inner);
            if known().holds {
                let head = part.windows(4).position(|four| four == b"\r\n\r\n").map_or(part.len(), |end| end + 4);
                client.write_all(&part[..head])?;
                known().held.extend_from_slice(&part[head..]);
                let mut part = [0; 4 << 10];
                loop {
                    match server.read(&mut part)? {
                        0 => return Ok(()),
                        more => known().held.extend_from_slice(&part[..more]),
                    }
                }
            }
            rest = known().next();
        }
        if let Some(left) = &mut rest {
            if read >= *left {
                client.write_all(&part[..*left])?;
                return server.shutdown(Shutdown::Both);
            }
            *left -= read;
        }
        client.write_all(part)?;
    }
}
