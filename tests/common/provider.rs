//! A provider of identities as the tests need it: it keeps to OpenID Connect to the letter, or breaks with it in one chosen way.

use std::collections::BTreeMap;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::io::Write;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::Mutex;
use std::thread;
use std::time::SystemTime;
use std::time::UNIX_EPOCH;

use data_encoding::BASE64;
use data_encoding::BASE64URL_NOPAD;
use ring::digest;
use ring::hmac;
use ring::rand::SystemRandom;
use ring::signature::ECDSA_P256_SHA256_FIXED_SIGNING;
use ring::signature::EcdsaKeyPair;
use ring::signature::KeyPair;
use serde_json::Value;
use serde_json::json;

use super::PATIENCE;

/// What the client in the tests is called, and by what it is known.
pub const CLIENT_ID: &str = "vigilmon";
pub const CLIENT_SECRET: &str = "s3cret & more+%7E-_.~*";

/// In which way it breaks with the rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Twist {
    /// In none.
    None,
    /// It sends people back with an error, and with markup in its description.
    Refuses(&'static str),
    /// The token is not signed.
    Unsigned,
    /// The token is signed with the public key as a shared secret.
    SignedByPublicKey,
    /// The token is signed by a key that is not listed, under the name of one that is.
    OtherKey,
    /// This claim of the token is another one.
    Claim(&'static str, &'static str),
    /// The token was good two minutes ago.
    Expired,
    /// The token will be good in two minutes.
    FromTheFuture,
    /// The answer in the address is of another issuer.
    OtherIssuer,
    /// The user info is somebody else's.
    OtherUserinfo,
    /// The user info is not for us.
    NoUserinfo(u16),
    /// It answers HTML.
    Nonsense,
    /// It takes connections and says nothing.
    Silent,
}

struct Grant {
    challenge: String,
    nonce: String,
    redirect_uri: String,
}

struct Script {
    key: EcdsaKeyPair,
    kid: String,
    n_keys: u32,
    /// What the token says of who signs in, and what only the user info says.
    person: Value,
    more: Value,
    twist: Twist,
    grants: BTreeMap<String, Grant>,
    n_codes: u32,
    asked: Vec<String>,
}

/// A provider on a port of its own.
#[derive(Clone)]
pub struct Provider {
    pub address: SocketAddr,
    script: Arc<Mutex<Script>>,
}

/// Fields of a query or a form.
fn fields(text: &str) -> BTreeMap<String, String> {
    url::form_urlencoded::parse(text.as_bytes()).into_owned().collect()
}

/// Who says that it is asking, decoded as RFC 6749, 2.3.1, has it: each half is a value of a form.
fn client(authorization: &str) -> Option<(String, String)> {
    let pair = BASE64.decode(authorization.strip_prefix("Basic ")?.as_bytes()).ok()?;
    let (id, secret) = std::str::from_utf8(&pair).ok()?.split_once(':')?;
    let decoded = |half: &str| fields(&format!("half={half}")).remove("half");
    Some((decoded(id)?, decoded(secret)?))
}

fn new_key() -> EcdsaKeyPair {
    let written = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).unwrap();
    EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, written.as_ref(), &SystemRandom::new()).unwrap()
}

impl Provider {
    pub fn start() -> Provider {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let script = Script {
            key: new_key(),
            kid: "key-0".to_owned(),
            n_keys: 0,
            person: json!({}),
            more: json!({}),
            twist: Twist::None,
            grants: BTreeMap::new(),
            n_codes: 0,
            asked: Vec::new(),
        };
        let provider = Provider { address: listener.local_addr().unwrap(), script: Arc::new(Mutex::new(script)) };
        let shared = provider.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = shared.clone();
                thread::spawn(move || shared.serve(stream));
            }
        });
        provider
    }

    pub fn issuer(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Who signs in next: what the token says, and what only the user info says.
    pub fn person(&self, token: &Value, userinfo: &Value) {
        let mut script = self.script.lock().unwrap();
        (script.person, script.more) = (token.clone(), userinfo.clone());
    }

    pub fn twist(&self, twist: Twist) {
        self.script.lock().unwrap().twist = twist;
    }

    /// Signs with a new key from now on, and lists that one only.
    pub fn rotate(&self) {
        let mut script = self.script.lock().unwrap();
        script.n_keys += 1;
        script.kid = format!("key-{}", script.n_keys);
        script.key = new_key();
    }

    /// The paths that were asked for since the last time.
    pub fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.script.lock().unwrap().asked)
    }

    fn serve(&self, stream: TcpStream) {
        let mut reader = BufReader::new(stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if reader.read_line(&mut head).unwrap_or(0) == 0 {
                return;
            }
        }
        let header = |name: &str| {
            head.lines()
                .filter_map(|line| line.split_once(": "))
                .find(|(found, _)| found.eq_ignore_ascii_case(name))
                .map(|(_, value)| value.to_owned())
        };
        let mut body = vec![0; header("content-length").map_or(0, |n| n.parse().unwrap())];
        if reader.read_exact(&mut body).is_err() {
            return;
        }
        let target = head.split_whitespace().nth(1).unwrap_or_default().to_owned();
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        let twist = {
            let mut script = self.script.lock().unwrap();
            script.asked.push(path.to_owned());
            script.twist
        };
        if twist == Twist::Silent {
            thread::sleep(PATIENCE);
            return;
        }
        let authorization = header("authorization").unwrap_or_default();
        let (status, more, text) = match path {
            _ if twist == Twist::Nonsense && path != "/authorize" => (200, String::new(), "<html><script>alert(1)</script>".to_owned()),
            "/.well-known/openid-configuration" => (200, String::new(), self.discovery().to_string()),
            "/keys" => (200, String::new(), json!({ "keys": [self.script.lock().unwrap().jwk()] }).to_string()),
            "/authorize" => (302, format!("location: {}\r\n", self.authorize(&fields(query))), String::new()),
            "/token" => self.token(&authorization, &fields(&String::from_utf8(body).unwrap())),
            "/userinfo" => self.userinfo(&authorization),
            _ => (404, String::new(), "{}".to_owned()),
        };
        let head = format!("HTTP/1.1 {status} X\r\n{more}content-length: {}\r\nconnection: close\r\n\r\n", text.len());
        let _ = reader.into_inner().write_all(format!("{head}{text}").as_bytes());
    }

    fn discovery(&self) -> Value {
        let at = |path: &str| format!("{}{path}", self.issuer());
        json!({
            "issuer": self.issuer(), "authorization_endpoint": at("/authorize"), "token_endpoint": at("/token"), "jwks_uri": at("/keys"),
            "userinfo_endpoint": at("/userinfo"), "end_session_endpoint": at("/end"), "authorization_response_iss_parameter_supported": true,
        })
    }

    fn authorize(&self, asked: &BTreeMap<String, String>) -> String {
        assert_eq!((asked["response_type"].as_str(), asked["client_id"].as_str()), ("code", CLIENT_ID));
        assert_eq!(asked["code_challenge_method"], "S256");
        assert!(asked["scope"].split(' ').any(|scope| scope == "openid"));
        let mut script = self.script.lock().unwrap();
        let issuer = if script.twist == Twist::OtherIssuer { "https://other.example.com".to_owned() } else { self.issuer() };
        let mut back = url::Url::parse(&asked["redirect_uri"]).unwrap();
        back.query_pairs_mut().append_pair("state", &asked["state"]).append_pair("iss", &issuer);
        if let Twist::Refuses(error) = script.twist {
            back.query_pairs_mut().append_pair("error", error).append_pair("error_description", "<script>alert(1)</script>");
            return back.to_string();
        }
        script.n_codes += 1;
        let code = format!("code-{}", script.n_codes);
        back.query_pairs_mut().append_pair("code", &code);
        let grant = Grant {
            challenge: asked["code_challenge"].clone(),
            nonce: asked["nonce"].clone(),
            redirect_uri: asked["redirect_uri"].clone(),
        };
        script.grants.insert(code, grant);
        back.to_string()
    }

    fn token(&self, authorization: &str, form: &BTreeMap<String, String>) -> (u16, String, String) {
        let refused =
            |error: &str| (400, String::new(), json!({ "error": error, "error_description": "<script>alert(1)</script>" }).to_string());
        if client(authorization) != Some((CLIENT_ID.to_owned(), CLIENT_SECRET.to_owned())) {
            return refused("invalid_client");
        }
        let mut script = self.script.lock().unwrap();
        // A code works once.
        let Some(grant) = script.grants.remove(&form["code"]) else { return refused("invalid_grant") };
        let challenge = BASE64URL_NOPAD.encode(digest::digest(&digest::SHA256, form["code_verifier"].as_bytes()).as_ref());
        if challenge != grant.challenge || form["redirect_uri"] != grant.redirect_uri || form["grant_type"] != "authorization_code" {
            return refused("invalid_grant");
        }
        let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap();
        let mut claims = json!({ "iss": self.issuer(), "aud": CLIENT_ID, "nonce": grant.nonce, "iat": now, "exp": now + 300 });
        for (name, value) in script.person.as_object().unwrap() {
            claims[name] = value.clone();
        }
        match script.twist {
            Twist::Claim(name, value) => claims[name] = json!(value),
            Twist::Expired => (claims["iat"], claims["exp"]) = (json!(now - 400), json!(now - 120)),
            Twist::FromTheFuture => (claims["iat"], claims["exp"]) = (json!(now + 120), json!(now + 400)),
            Twist::None
            | Twist::Refuses(_)
            | Twist::Unsigned
            | Twist::SignedByPublicKey
            | Twist::OtherKey
            | Twist::OtherIssuer
            | Twist::OtherUserinfo
            | Twist::NoUserinfo(_)
            | Twist::Nonsense
            | Twist::Silent => {}
        }
        let answer = json!({ "id_token": script.signed(&claims), "access_token": "opens-the-userinfo", "token_type": "Bearer" });
        (200, String::new(), answer.to_string())
    }

    fn userinfo(&self, authorization: &str) -> (u16, String, String) {
        if authorization != "Bearer opens-the-userinfo" {
            return (401, String::new(), "{}".to_owned());
        }
        let script = self.script.lock().unwrap();
        if let Twist::NoUserinfo(status) = script.twist {
            return (status, String::new(), "{}".to_owned());
        }
        let mut said = script.more.clone();
        said["sub"] = if script.twist == Twist::OtherUserinfo { json!("somebody-else") } else { script.person["sub"].clone() };
        (200, String::new(), said.to_string())
    }
}

impl Script {
    fn jwk(&self) -> Value {
        let point = self.key.public_key().as_ref();
        let text = |bytes: &[u8]| BASE64URL_NOPAD.encode(bytes);
        json!({ "kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": self.kid, "x": text(&point[1..33]), "y": text(&point[33..]) })
    }

    fn signed(&self, claims: &Value) -> String {
        let (is_unsigned, is_by_public_key) = (self.twist == Twist::Unsigned, self.twist == Twist::SignedByPublicKey);
        let alg = if is_unsigned {
            "none"
        } else if is_by_public_key {
            "HS256"
        } else {
            "ES256"
        };
        let text = |bytes: &[u8]| BASE64URL_NOPAD.encode(bytes);
        let header = json!({ "alg": alg, "kid": self.kid });
        let message = format!("{}.{}", text(header.to_string().as_bytes()), text(claims.to_string().as_bytes()));
        let sign = |key: &EcdsaKeyPair| text(key.sign(&SystemRandom::new(), message.as_bytes()).unwrap().as_ref());
        let signature = if is_unsigned {
            String::new()
        } else if is_by_public_key {
            let secret = hmac::Key::new(hmac::HMAC_SHA256, self.jwk().to_string().as_bytes());
            text(hmac::sign(&secret, message.as_bytes()).as_ref())
        } else if self.twist == Twist::OtherKey {
            sign(&new_key())
        } else {
            sign(&self.key)
        };
        format!("{message}.{signature}")
    }
}
