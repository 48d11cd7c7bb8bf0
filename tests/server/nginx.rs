//! nginx as a proxy in front of a service.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

use taskflow_tests::common::eventually;
use tempfile::TempDir;

/// A running nginx. It ends when it is dropped.
pub(crate) struct Nginx {
    child: Child,
    pub(crate) address: SocketAddr,
    _directory: TempDir,
}

pub(crate) fn is_installed(program: &str) {
    let found = Command::new(program).arg("--version").output().or_else(|_| Command::new(program).arg("-v").output());
    assert!(
        found.is_ok(),
        "this test needs `{program}`: `cargo xtask test` installs it, or `apt-get install` on Debian"
    );
}

impl Nginx {
    /// nginx with the block `server` that `server` makes of the address at which it is to listen.
    pub(crate) fn start(server: impl FnOnce(SocketAddr) -> String) -> Nginx {
        is_installed("nginx");
        let directory = tempfile::tempdir().expect("temporary directories can be made");
        // Another program may take the port before nginx does; then nginx ends, and says so.
        let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = free.local_addr().expect("an address");
        drop(free);
        let server = server(address);
        let root = directory.path().display();
        let places = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
        let places: String = places.iter().map(|name| format!("{name}_temp_path {root}/{name};\n")).collect();
        let text = format!(
            "daemon off;\nmaster_process off;\npid {root}/pid;\nerror_log stderr warn;\nevents {{}}\n\
             http {{\naccess_log off;\n{places}{server}}}\n"
        );
        let file = directory.path().join("nginx.conf");
        std::fs::write(&file, &text).expect("temporary files can be written");
        let nginx = |flags: &[&str]| {
            let mut nginx = Command::new("nginx");
            nginx.args(flags).arg("-p").arg(directory.path()).arg("-c").arg(&file).stdin(Stdio::null());
            nginx
        };
        let checked = nginx(&["-t", "-q"]).output().expect("it starts");
        assert!(checked.status.success(), "{text}{}", String::from_utf8_lossy(&checked.stderr));
        let child = nginx(&[]).stdout(Stdio::null()).spawn().expect("it starts");
        eventually("nginx listens", || TcpStream::connect(address).is_ok());
        Nginx { child, address, _directory: directory }
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
