//! A small provider of OpenID Connect in the test process: discovery, authorisation, tokens, keys.
//! It checks what a provider has to check, and signs what a test wants it to.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::digest::{SHA256, digest};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde_json::{Map, Value, json};
use taskflow_tests::common::PATIENCE;

pub(crate) const CLIENT: &str = "taskflow";
pub(crate) const SECRET: &str = "canary+secret/of the client";

/// A provider that listens until the test ends.
pub(crate) struct Provider {
    pub(crate) address: SocketAddr,
    shared: Arc<Mutex<Shared>>,
}

/// What it knows, and what a test has changed about it.
pub(crate) struct Shared {
    key: Key,
    /// What was promised for a code that was not used yet.
    codes: BTreeMap<String, Promise>,
    /// The person who logs in.
    pub(crate) claims: Map<String, Value>,
    /// Other claims than what is right; `null`: none.
    pub(crate) wrong: Map<String, Value>,
    /// How tokens are signed.
    pub(crate) signing: Signing,
    /// What it refuses every log-in with.
    pub(crate) error: Option<&'static str>,
    /// The `iss` of its answers.
    pub(crate) iss: Option<String>,
    /// A path that it answers with a redirect, and where to.
    pub(crate) redirected: Option<(&'static str, String)>,
    /// It accepts connections and says nothing.
    pub(crate) is_down: bool,
    /// What was asked for, in order.
    pub(crate) asked: Vec<String>,
}

/// How a token is signed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Signing {
    /// As it should be.
    Right,
    /// With a key that nobody has published, under the name of one that is.
    ByAnother,
    /// `alg` is this, and there is no signature.
    Not(&'static str),
    /// With the public key as a shared secret.
    WithThePublicKey,
}

struct Key {
    id: String,
    pair: EcdsaKeyPair,
}

struct Promise {
    nonce: String,
    challenge: String,
    redirect: String,
}

impl Key {
    fn new(id: &str) -> Self {
        let (random, kind) = (SystemRandom::new(), &ECDSA_P256_SHA256_FIXED_SIGNING);
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(kind, &random).expect("a key can be made");
        let pair = EcdsaKeyPair::from_pkcs8(kind, pkcs8.as_ref(), &random).expect("it was just made");
        Key { id: id.to_owned(), pair }
    }

    fn jwk(&self) -> Value {
        let point = self.pair.public_key().as_ref();
        let [x, y] = [&point[1..33], &point[33..]].map(|half| URL_SAFE_NO_PAD.encode(half));
        json!({"kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": self.id, "x": x, "y": y})
    }

    fn sign(&self, message: &str) -> String {
        let signature = self.pair.sign(&SystemRandom::new(), message.as_bytes()).expect("a key signs");
        URL_SAFE_NO_PAD.encode(signature)
    }
}

impl Provider {
    pub(crate) fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener.local_addr().expect("it has an address");
        let claims = json!({
            "sub": "248289761001", "preferred_username": "kim", "email": "kim@example.com", "email_verified": true,
            "groups": ["dev", "everybody"],
        });
        let shared = Arc::new(Mutex::new(Shared {
            key: Key::new("first"),
            codes: BTreeMap::new(),
            claims: claims.as_object().expect("an object").clone(),
            wrong: Map::new(),
            signing: Signing::Right,
            error: None,
            iss: Some(format!("http://{address}")),
            redirected: None,
            is_down: false,
            asked: Vec::new(),
        }));
        let served = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let served = Arc::clone(&served);
                std::thread::spawn(move || answer(&served, address, stream));
            }
        });
        Provider { address, shared }
    }

    pub(crate) fn shared(&self) -> MutexGuard<'_, Shared> {
        // A test that has panicked has failed already.
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn issuer(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Signs with another key from now on.
    pub(crate) fn rotate(&self, id: &str) {
        self.shared().key = Key::new(id);
    }

    /// The groups of the person from now on.
    pub(crate) fn set_groups(&self, groups: &[&str]) {
        self.shared().claims.insert("groups".to_owned(), json!(groups));
    }

    /// Opens an address of the provider as a browser does, and returns where it leads to.
    pub(crate) fn follow(&self, url: &str) -> String {
        let path = url.strip_prefix(&self.issuer()).unwrap_or_else(|| panic!("{url} is not of {}", self.address));
        let mut stream = TcpStream::connect(self.address).expect("it listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket has a time limit");
        stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: id\r\n\r\n").as_bytes()).expect("it reads");
        let mut text = String::new();
        stream.read_to_string(&mut text).expect("it answers with text");
        let location = text.lines().find_map(|line| line.strip_prefix("location: "));
        location.unwrap_or_else(|| panic!("{url} leads nowhere: {text}")).to_owned()
    }

    /// How often the beginning of a request was asked for.
    pub(crate) fn count(&self, beginning: &str) -> usize {
        self.shared().asked.iter().filter(|asked| asked.starts_with(beginning)).count()
    }
}

/// The pairs of a query or a form.
pub(crate) fn pairs(text: &str) -> BTreeMap<String, String> {
    let pairs = text.split('&').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), decoded(value))).collect()
}

fn decoded(text: &str) -> String {
    let (bytes, mut out, mut at) = (text.as_bytes(), Vec::new(), 0);
    while at < bytes.len() {
        let hex = (bytes[at] == b'%').then(|| u8::from_str_radix(&text[at + 1..at + 3], 16).expect("two digits"));
        out.push(hex.unwrap_or(bytes[at]));
        at += if hex.is_some() { 3 } else { 1 };
    }
    String::from_utf8(out).expect("it is UTF-8")
}

pub(crate) fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

fn answer(shared: &Mutex<Shared>, address: SocketAddr, mut stream: TcpStream) {
    let _ = stream.set_read_timeout(Some(PATIENCE));
    let (mut read, mut part) = (Vec::new(), [0; 4096]);
    let (head, body) = loop {
        let text = String::from_utf8_lossy(&read).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
            });
            if body.len() >= length.unwrap_or(0) {
                break (head.to_owned(), body.to_owned());
            }
        }
        match stream.read(&mut part) {
            Ok(count @ 1..) => read.extend_from_slice(&part[..count]),
            _ => return,
        }
    };
    let mut shared = shared.lock().unwrap_or_else(PoisonError::into_inner);
    let line = head.lines().next().unwrap_or_default();
    let target = line.split(' ').nth(1).unwrap_or_default();
    if shared.is_down {
        return;
    }
    shared.asked.push(format!("{target} {body}"));
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let issuer = format!("http://{address}");
    let elsewhere = shared.redirected.as_ref().filter(|(of, _)| *of == path).map(|(_, to)| to.clone());
    let (status, extra, body) = match path {
        _ if elsewhere.is_some() => (307, format!("location: {}\r\n", elsewhere.unwrap_or_default()), Value::Null),
        "/.well-known/openid-configuration" => (200, String::new(), discovery(&issuer)),
        "/keys" => (200, String::new(), json!({"keys": [shared.key.jwk(), {"kty": "oct", "k": "AA"}]})),
        "/authorize" => (302, format!("location: {}\r\n", shared.authorize(&pairs(query))), Value::Null),
        "/token" => match shared.token(&issuer, &head, &pairs(&body)) {
            Ok(token) => (200, String::new(), json!({"access_token": "x", "token_type": "Bearer", "id_token": token})),
            Err(error) => (400, String::new(), json!({"error": error})),
        },
        _ => (404, String::new(), Value::Null),
    };
    let body = body.to_string();
    let head = format!("HTTP/1.1 {status} X\r\ncontent-type: application/json\r\n{extra}connection: close\r\n");
    let _ = stream.write_all(format!("{head}content-length: {}\r\n\r\n{body}", body.len()).as_bytes());
}

fn discovery(issuer: &str) -> Value {
    json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/authorize"),
        "token_endpoint": format!("{issuer}/token"),
        "jwks_uri": format!("{issuer}/keys"),
        "response_types_supported": ["code"],
        "authorization_response_iss_parameter_supported": true,
    })
}

impl Shared {
    /// Where an authorisation request leads to.
    fn authorize(&mut self, asked: &BTreeMap<String, String>) -> String {
        let get = |name: &str| asked.get(name).cloned().unwrap_or_else(|| panic!("{name} is missing: {asked:?}"));
        assert_eq!((&*get("response_type"), &*get("client_id")), ("code", CLIENT));
        assert_eq!((&*get("code_challenge_method"), &*get("scope")), ("S256", "openid profile email"));
        let promise = Promise { nonce: get("nonce"), challenge: get("code_challenge"), redirect: get("redirect_uri") };
        let (redirect, state) = (promise.redirect.clone(), encoded(&get("state")));
        let code = format!("code-{}", self.asked.len());
        let outcome = match self.error {
            Some(error) => format!("error={error}"),
            None => {
                self.codes.insert(code.clone(), promise);
                format!("code={code}")
            }
        };
        let iss = self.iss.as_deref().map(|iss| format!("&iss={}", encoded(iss))).unwrap_or_default();
        format!("{redirect}?{outcome}&state={state}{iss}")
    }

    /// The ID token for a code, which is used up.
    fn token(&mut self, issuer: &str, head: &str, form: &BTreeMap<String, String>) -> Result<String, &'static str> {
        let basic = format!("Basic {}", STANDARD.encode(format!("{CLIENT}:{}", "canary%2Bsecret%2Fof%20the%20client")));
        if !head.lines().any(|line| line.split_once(':').is_some_and(|(_, value)| value.trim() == basic)) {
            return Err("invalid_client");
        }
        let get = |name: &str| form.get(name).map_or("", String::as_str);
        let promise = self.codes.remove(get("code")).ok_or("invalid_grant")?;
        let challenge = URL_SAFE_NO_PAD.encode(digest(&SHA256, get("code_verifier").as_bytes()));
        if challenge != promise.challenge || get("redirect_uri") != promise.redirect {
            return Err("invalid_grant");
        }
        let now = jiff::Timestamp::now().as_second();
        let mut claims = json!({
            "iss": issuer, "aud": CLIENT, "iat": now, "exp": now + 300, "nonce": promise.nonce, "azp": CLIENT,
        });
        for (name, value) in self.claims.iter().chain(&self.wrong) {
            claims[name] = value.clone();
        }
        Ok(self.signed(&claims))
    }

    fn signed(&self, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let alg = match self.signing {
            Signing::Right | Signing::ByAnother => "ES256",
            Signing::Not(alg) => alg,
            Signing::WithThePublicKey => "HS256",
        };
        let header = json!({"alg": alg, "typ": "JWT", "kid": self.key.id});
        let message = format!("{}.{}", part(&header), part(claims));
        let signature = match self.signing {
            Signing::Right => self.key.sign(&message),
            Signing::ByAnother => Key::new("another").sign(&message),
            Signing::Not(_) => String::new(),
            Signing::WithThePublicKey => {
                let public = self.key.pair.public_key().as_ref();
                let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, public);
                URL_SAFE_NO_PAD.encode(ring::hmac::sign(&key, message.as_bytes()))
            }
        };
        format!("{message}.{signature}")
    }
}
