//! A monitor as the jobs in tests see it: takes pings of every form, keeps them, and answers what it was told to.

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
use std::time::Instant;

use super::PATIENCE;

/// Part of every address in these tests; must not be seen anywhere but in requests.
pub const TOKEN: &str = "sesame-0123456789";

pub const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nOK";

/// One ping as it was received.
#[derive(Debug, Clone)]
pub struct Ping {
    pub at: Instant,
    pub method: String,
    pub target: String,
    pub head: String,
    pub body: Vec<u8>,
}

impl Ping {
    /// What it says, the last part of its path.
    pub fn word(&self) -> &str {
        self.target.split('?').next().unwrap().rsplit('/').next().unwrap()
    }

    pub fn rid(&self) -> Option<&str> {
        let query = self.target.split_once('?')?.1;
        query.split('&').find_map(|pair| pair.strip_prefix("rid="))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

/// A monitor that gives these answers in turn, the last of them for ever, and keeps what it was told. An empty answer is silence.
#[derive(Clone)]
pub struct Monitor {
    pub address: SocketAddr,
    pub answers: Arc<Mutex<Vec<String>>>,
    pub pings: Arc<Mutex<Vec<Ping>>>,
}

impl Monitor {
    pub fn start(answers: &[&str]) -> Monitor {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let answers = answers.iter().rev().map(|answer| (*answer).to_owned()).collect();
        let monitor = Monitor { address: listener.local_addr().unwrap(), answers: Arc::new(Mutex::new(answers)), pings: Arc::default() };
        let shared = monitor.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = shared.clone();
                thread::spawn(move || while shared.serve(&stream).is_some() {});
            }
        });
        monitor
    }

    fn serve(&self, stream: &TcpStream) -> Option<()> {
        let mut reader = BufReader::new(stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if reader.read_line(&mut head).ok()? == 0 {
                return None;
            }
        }
        let mut words = head.split_whitespace().map(str::to_owned);
        let (method, target) = (words.next()?, words.next()?);
        let mut ping = Ping { at: Instant::now(), method, target, head, body: Vec::new() };
        ping.body = vec![0; ping.header("content-length").expect("a length").parse().unwrap()];
        reader.read_exact(&mut ping.body).ok()?;
        self.pings.lock().unwrap().push(ping);
        let answer = {
            let mut answers = self.answers.lock().unwrap();
            if answers.len() > 1 { answers.pop() } else { answers.last().cloned() }
        }?;
        if answer.is_empty() {
            thread::sleep(PATIENCE);
            return None;
        }
        let mut stream = stream;
        stream.write_all(answer.as_bytes()).ok()
    }

    pub fn url(&self) -> String {
        format!("http://{}/heartbeat/{TOKEN}", self.address)
    }

    pub fn pings(&self) -> Vec<Ping> {
        self.pings.lock().unwrap().clone()
    }

    pub fn words(&self) -> Vec<String> {
        self.pings().iter().map(|ping| ping.word().to_owned()).collect()
    }
}
