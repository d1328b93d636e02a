//! A program that subscribes to status pages, for tests.

use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::io::Write;
use std::net::TcpListener;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::Mutex;
use std::thread;

use serde_json::Value;

use super::wait_for;

/// A program that wants news: it sends challenges back, and keeps what it is told.
pub struct Listener {
    pub url: String,
    heard: Arc<Mutex<Vec<Value>>>,
}

impl Listener {
    pub fn start() -> Listener {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let listener = Listener { url: format!("http://{}/hook", socket.local_addr().unwrap()), heard: Arc::default() };
        let heard = Arc::clone(&listener.heard);
        thread::spawn(move || {
            for stream in socket.incoming().flatten() {
                heard.lock().unwrap().extend(hear(stream));
            }
        });
        listener
    }

    /// Every piece of news, in the order in which it came.
    pub fn news(&self) -> Vec<Value> {
        let all = self.heard.lock().unwrap();
        all.iter().filter_map(|body| body["news"].as_array()).flatten().cloned().collect()
    }

    /// Everything that was sent to it.
    pub fn heard(&self) -> Vec<Value> {
        self.heard.lock().unwrap().clone()
    }

    #[track_caller]
    pub fn wait_for(&self, event: &str) -> Value {
        wait_for(event, || self.news().into_iter().find(|news| news["event"] == event))
    }
}

fn hear(mut stream: TcpStream) -> Option<Value> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
        if line == "\r\n" {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let body: Value = serde_json::from_slice(&body).ok()?;
    let answer = body["challenge"].as_str().unwrap_or("thanks");
    write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{answer}", answer.len()).ok()?;
    Some(body)
}
