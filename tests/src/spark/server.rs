//! A web server whose responses the test provides.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::common::locked;

/// What came in.
#[derive(Clone, Debug)]
pub struct Request {
    pub method: String,
    /// With the query.
    pub path: String,
    /// In small letters.
    pub head: String,
    pub body: String,
}

/// What goes out.
#[derive(Clone, Debug)]
pub enum Answer {
    Of(u16, String),
    /// A status and the address in `Location`.
    Redirect(u16, String),
    /// The same, but not at once.
    Late(Duration, u16, String),
    /// The connection is closed without a word.
    Cut,
    /// Nothing, for a minute.
    Silence,
}

/// It serves until the program ends, each connection on a thread of its own.
#[derive(Clone)]
pub struct Server {
    pub port: u16,
    requests: Arc<Mutex<Vec<Request>>>,
    /// The paths of the requests that were answered.
    answered: Arc<Mutex<Vec<String>>>,
}

impl Server {
    pub fn start(answer: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let server = Server { port, requests: Arc::default(), answered: Arc::default() };
        let (of, answer) = (server.clone(), Arc::new(answer));
        std::thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                let (of, answer) = (of.clone(), Arc::clone(&answer));
                std::thread::spawn(move || of.serve(socket, &*answer));
            }
        });
        server
    }

    /// All requests so far.
    pub fn requests(&self) -> Vec<Request> {
        locked(&self.requests).clone()
    }

    /// How many of them had a path that begins so.
    pub fn count(&self, path: &str) -> usize {
        self.requests().iter().filter(|request| request.path.starts_with(path)).count()
    }

    /// How many of these have their answer.
    pub fn answered(&self, path: &str) -> usize {
        locked(&self.answered).iter().filter(|answered| answered.starts_with(path)).count()
    }

    fn serve(&self, mut socket: TcpStream, answer: &dyn Fn(&Request) -> Answer) {
        // A connection without a request only checks whether the port is open.
        let Some(request) = read(&mut socket) else { return };
        locked(&self.requests).push(request.clone());
        let (status, location, body) = match answer(&request) {
            Answer::Of(status, body) => (status, String::new(), body),
            Answer::Redirect(status, address) => (status, format!("Location: {address}\r\n"), String::new()),
            Answer::Late(after, status, body) => {
                std::thread::sleep(after);
                (status, String::new(), body)
            }
            Answer::Cut => return,
            Answer::Silence => return std::thread::sleep(Duration::from_secs(60)),
        };
        // Whoever has the answer may ask at once.
        locked(&self.answered).push(request.path);
        let length = body.len();
        let head = format!(
            "HTTP/1.1 {status} ProgramOutput\r\n{location}Content-Length: {length}\r\nConnection: close\r\n\r\n"
        );
        let _ = socket.write_all((head + &body).as_bytes());
    }
}

fn read(socket: &mut TcpStream) -> Option<Request> {
    let (mut bytes, mut some) = (Vec::new(), [0; 4096]);
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let head = head.to_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
            if body.len() >= length.unwrap_or(0) {
                let mut words = text.split_whitespace().map(str::to_owned);
                let (method, path) = (words.next()?, words.next()?);
                return Some(Request { method, path, head, body: body.to_owned() });
            }
        }
        match socket.read(&mut some) {
            Ok(count) if count > 0 => bytes.extend_from_slice(&some[..count]),
            _ => return None,
        }
    }
}
