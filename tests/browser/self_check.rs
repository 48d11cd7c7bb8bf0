//! The other tests see what goes wrong: a page with mistakes has problems.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use crate::page::Page;

/// Answers each request with the same page.
fn serve(html: &'static str) -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = listener.local_addr().expect("it is bound");
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a browser connects");
            let _ = stream.read(&mut [0; 4096]);
            let _ = write!(
                stream,
                "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: {}\r\nconnection: close\r\n\
                 content-security-policy: default-src 'none'; img-src data:; script-src 'self' 'nonce-good'\r\n\r\n{html}",
                html.len()
            );
        }
    });
    address
}

#[test]
fn a_page_with_mistakes_has_problems() {
    let address = serve(
        "<!doctype html><title>x</title><script>document.title = 'bad'</script><script nonce=good>\
         console.warn('careful'); alert('stop'); nothing()</script><img src=http://127.0.0.1:9/>",
    );
    let page = Page::new(address);
    page.open("/");
    let problems = page.problems().join("\n");
    for text in ["careful", "dialog: \"stop\"", "nothing is not defined", "Content Security Policy"] {
        assert!(problems.contains(text), "{text}: {problems}");
    }
    assert_eq!(page.eval("document.title"), "x");
}

#[test]
fn a_page_is_read_and_used() {
    let address = serve(
        "<!doctype html><link rel=icon href=data:,><title>x</title><p>A  <b>bold</b> word</p><form><input name=a value=old><button>Go</button></form>",
    );
    let page = Page::new(address);
    page.open("/");
    assert_eq!((page.text("p"), page.count("input")), ("A bold word".to_owned(), 1));
    page.fill("input", "new");
    page.follow("button");
    assert_eq!(page.address(), "/?a=new");
    page.fill("input", "newer");
    page.press("Enter");
    page.wait_for("location.search === '?a=newer'");
    page.without_scripts();
    page.open("/");
    assert_eq!(page.texts("button"), ["Go"]);
    page.assert_clean();
}
