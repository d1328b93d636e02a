//! A monitor as somebody fills it into a form, written as the YAML that one would have written by hand.
//!
//! Whatever is entered, the text that comes out is YAML that means exactly that: what could be read in another way is quoted, and a
//! dollar sign stays one. Whether it makes sense is not decided here; the text is loaded like any other, and the config says what is
//! wrong with it.

use crate::model::expect::StatusRange;
use crate::model::id::is_deceptive;
use crate::model::time::parse_duration;

/// What problems name as the file of an item that is not in one.
pub const PLACE: &str = "new monitor";

/// The field of the form in which a problem of an item lies, by its path in the config; `None` for what is in no field or in another item.
#[must_use]
pub fn field_of(path: &str) -> Option<&'static str> {
    let (_, within) = path.strip_prefix("monitors[")?.split_once("].")?;
    let within = within.split('[').next().unwrap_or_default();
    Some(match within {
        "http" | "http.url" | "tcp" | "tcp.address" => "target",
        "name" => "name",
        "id" => "id",
        "group" => "group",
        // Without anything in it nobody knows when it is expected.
        "interval" | "heartbeat" | "heartbeat.interval" => "interval",
        "expect.status" => "status",
        "expect.body_contains" => "body_contains",
        "expect.response_time" => "response_time",
        "heartbeat.cron" => "cron",
        "heartbeat.timezone" => "timezone",
        "heartbeat.grace" => "grace",
        _ => return None,
    })
}

/// What is watched, and so what is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DraftKind {
    /// A website or an API.
    #[default]
    Http,
    /// A port.
    Tcp,
    /// A job that reports by itself.
    Heartbeat,
}

impl DraftKind {
    /// In the order in which people meet them.
    pub const ALL: [DraftKind; 3] = [DraftKind::Http, DraftKind::Tcp, DraftKind::Heartbeat];

    /// The key in the YAML.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            DraftKind::Http => "http",
            DraftKind::Tcp => "tcp",
            DraftKind::Heartbeat => "heartbeat",
        }
    }
}

/// What was entered. An empty text was left out, and is then what the config's defaults say.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Draft {
    /// What is watched.
    pub kind: DraftKind,
    /// An address or `host:port`; a heartbeat has none.
    pub target: String,
    /// What it is called.
    pub name: String,
    /// Its id; needed only when none can be made of the name.
    pub id: String,
    /// Its group.
    pub group: String,
    /// Time between checks, or between reports.
    pub interval: String,
    /// Status codes and ranges, separated by commas.
    pub status: String,
    /// What the body must contain.
    pub body_contains: String,
    /// Slower than this is degraded.
    pub response_time: String,
    /// When reports are expected, instead of an interval.
    pub cron: String,
    /// The time zone of `cron`.
    pub timezone: String,
    /// How late a report may be.
    pub grace: String,
    /// Who is told; none means whom the defaults name.
    pub channels: Vec<String>,
}

impl Draft {
    /// The item for the list `monitors:`, indented by two spaces and with a line break at its end.
    #[must_use]
    pub fn yaml(&self) -> String {
        let mut lines = Lines::default();
        lines.text("name", &self.name);
        lines.text("id", &self.id);
        lines.text("group", &self.group);
        match self.kind {
            DraftKind::Http | DraftKind::Tcp => self.check(&mut lines),
            DraftKind::Heartbeat => self.heartbeat(&mut lines),
        }
        let channels: Vec<String> = self.channels.iter().map(|name| scalar(name)).collect();
        if !channels.is_empty() {
            lines.0.push(format!("channels: [{}]", channels.join(", ")));
        }
        lines.item()
    }

    fn check(&self, lines: &mut Lines) {
        // Also when it is missing: the config then says that it is.
        lines.0.push(format!("{}: {}", self.kind.word(), scalar(self.target.trim())));
        lines.text("interval", &self.interval);
        let mut expect = Lines::default();
        if self.kind == DraftKind::Http {
            let status: Vec<String> = self.status.split(',').map(str::trim).filter(|text| !text.is_empty()).map(scalar).collect();
            match status.as_slice() {
                [] => {}
                [one] => expect.0.push(format!("status: {one}")),
                many => expect.0.push(format!("status: [{}]", many.join(", "))),
            }
            // Blanks may matter here.
            if !self.body_contains.is_empty() {
                expect.0.push(format!("body_contains: {}", scalar(&self.body_contains)));
            }
        }
        expect.text("response_time", &self.response_time);
        lines.below("expect", expect);
    }

    fn heartbeat(&self, lines: &mut Lines) {
        let mut beat = Lines::default();
        beat.text("interval", &self.interval);
        beat.text("cron", &self.cron);
        beat.text("timezone", &self.timezone);
        beat.text("grace", &self.grace);
        if beat.0.is_empty() {
            lines.0.push("heartbeat: {}".to_owned());
        }
        lines.below("heartbeat", beat);
    }
}

/// Lines of a map.
#[derive(Debug, Default)]
struct Lines(Vec<String>);

impl Lines {
    /// A key and what was entered for it; nothing when nothing was.
    fn text(&mut self, key: &str, entered: &str) {
        let entered = entered.trim();
        if !entered.is_empty() {
            self.0.push(format!("{key}: {}", scalar(entered)));
        }
    }

    fn below(&mut self, key: &str, inner: Lines) {
        if !inner.0.is_empty() {
            self.0.push(format!("{key}:"));
            self.0.extend(inner.0.into_iter().map(|line| format!("  {line}")));
        }
    }

    fn item(self) -> String {
        let mut out = String::new();
        for (i, line) in self.0.into_iter().enumerate() {
            out.push_str(if i == 0 { "  - " } else { "    " });
            out.push_str(&line);
            out.push('\n');
        }
        out
    }
}

/// A text as it may stand in a block or between brackets: plain where that can be read in one way only, quoted otherwise.
fn scalar(text: &str) -> String {
    if is_plain(text) { text.to_owned() } else { quoted(text) }
}

/// Words that some reader of YAML takes for something else than a text.
const TAKEN: [&str; 11] = ["null", "true", "false", "yes", "no", "on", "off", "y", "n", "nan", "inf"];

fn is_plain(text: &str) -> bool {
    let is_number_like = text.starts_with(|c: char| c.is_ascii_digit());
    if is_number_like {
        return text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
            && (StatusRange::parse(text).is_some() || parse_duration(text).is_ok());
    }
    let may_stand = |c: char| c.is_ascii_alphanumeric() || " _./:?=&%+@~-".contains(c);
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(may_stand)
        // A colon before a blank or at the end would make it a key.
        && !text.contains(": ")
        && !text.ends_with([':', ' '])
        && !TAKEN.contains(&text.to_ascii_lowercase().as_str())
}

/// In double quotes, in which everything can be said. A single dollar sign would begin a variable.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '$' => out.push_str("$$"),
            // Nothing that is not seen stands in the file as it is.
            c if is_deceptive(c) || matches!(c, '\u{2028}' | '\u{2029}' | '\u{fffe}' | '\u{ffff}') => {
                out.push_str(&format!("\\u{:04x}", u32::from(c)))
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::path::PathBuf;

    use super::*;
    use crate::config::Config;
    use crate::config::Problem;
    use crate::config::SourceText;
    use crate::config::Surroundings;
    use crate::model::monitor::ProbeSpec;

    /// Nothing may be read because of what was entered.
    struct Nothing;

    impl Surroundings for Nothing {
        fn env(&self, name: &str) -> Option<String> {
            assert_eq!(name, "STATE_DIRECTORY", "only what every config asks for");
            None
        }

        fn file(&self, path: &Path) -> Result<Vec<u8>, String> {
            panic!("{} is read", path.display())
        }
    }

    fn load(draft: &Draft, channels: &[&str]) -> Result<Config, Vec<Problem>> {
        let channels: Vec<String> =
            channels.iter().map(|name| format!("{{ name: {}, webhook: {{ url: \"http://127.0.0.1/\" }} }}", quoted(name))).collect();
        let text = format!("channels: [{}]\nmonitors:\n{}", channels.join(", "), draft.yaml());
        crate::config::load(&[SourceText { file: PathBuf::from("c.yaml"), text }], &Nothing)
    }

    fn text(draft: &Draft) -> String {
        draft.yaml()
    }

    fn http(target: &str) -> Draft {
        Draft { target: target.to_owned(), ..Draft::default() }
    }

    /// What is hard to write in YAML, in a variable, or between quotes.
    const HARD: &[&str] = &[
        "Shop",
        "two words",
        " blanks around ",
        "123",
        "0123",
        "1e3",
        "0x1f",
        "1.5",
        "2026-06-30",
        "12:30:45",
        "1_000",
        "~",
        "null",
        "True",
        "NO",
        "on",
        "y",
        ".inf",
        "-",
        "- x",
        "-x",
        "?",
        "? x",
        ": x",
        "a: b",
        "a:b",
        "a:",
        "#x",
        "a #b",
        "a#b",
        "[x]",
        "[prod-us] api",
        "{x}",
        "a, b",
        "&x",
        "*x",
        "!x",
        "!!str x",
        "|",
        ">",
        "%x",
        "@x",
        "`x`",
        "\"",
        "'",
        "\"quoted\"",
        "it's",
        "\\",
        "\\n",
        "a\\\"b",
        "$",
        "$$",
        "${HOME}",
        "$${HOME}",
        "${HOME:-x}",
        "${matrix.x}",
        "<<",
        "=",
        "é",
        "日本",
        "👩‍🚀",
        "---",
        "...",
        "a\u{a0}b",
        "</script>",
        "x: {file: /etc/passwd}",
        "{ file: /etc/passwd }",
        "{ env: HOME }",
    ];

    #[test]
    fn whatever_is_entered_means_just_that() {
        for entered in HARD {
            let draft = Draft {
                name: (*entered).to_owned(),
                id: "x".to_owned(),
                group: (*entered).to_owned(),
                body_contains: (*entered).to_owned(),
                channels: vec![(*entered).to_owned()],
                ..http("https://shop.example.com/")
            };
            let config = load(&draft, &[entered]).unwrap_or_else(|problems| panic!("{entered:?}: {problems:?}\n{}", draft.yaml()));
            let [monitor] = config.monitors.as_slice() else { panic!("{entered:?}: one monitor") };
            assert_eq!(monitor.name, entered.trim(), "{}", draft.yaml());
            assert_eq!(monitor.group.as_deref(), Some(entered.trim()));
            assert_eq!(monitor.expect.body_contains, [*entered]);
            assert_eq!(monitor.channels[0].as_str(), *entered);
        }
    }

    #[test]
    fn every_pair_of_difficult_characters_means_just_that() {
        let difficult = " \"'\\$#:,-[]{}&*!|>%@`~?=</.\u{301}\u{ad}é0aN";
        for (a, b) in difficult.chars().flat_map(|a| difficult.chars().map(move |b| (a, b))) {
            for entered in [format!("{a}{b}"), format!("x{a}{b}"), format!("{a}x{b}"), format!("1{a}{b}")] {
                let draft = Draft { name: "x".to_owned(), body_contains: entered.clone(), ..http("https://shop.example.com/") };
                let config = load(&draft, &[]).unwrap_or_else(|problems| panic!("{entered:?}: {problems:?}\n{}", draft.yaml()));
                assert_eq!(config.monitors[0].expect.body_contains, [entered], "{}", draft.yaml());
            }
        }
    }

    #[test]
    fn what_cannot_be_seen_cannot_break_out_either() {
        for entered in
            ["a\nb", "a\r\n  - tcp: evil:1", "\t", "a\u{0}b", "a\u{85}b", "a\u{2028}b", "a\u{feff}b", "\u{202e}x", "\u{7f}", "a\u{1b}[31m"]
        {
            let draft = Draft { name: "x".to_owned(), body_contains: format!("{entered}."), ..http("https://shop.example.com/") };
            assert_eq!(draft.yaml().lines().count(), 4, "{entered:?}");
            let config = load(&draft, &[]).unwrap_or_else(|problems| panic!("{entered:?}: {problems:?}\n{}", draft.yaml()));
            assert_eq!(config.monitors[0].expect.body_contains, [format!("{entered}.")]);
        }
    }

    #[test]
    fn it_reads_as_if_written_by_hand() {
        let draft = Draft {
            name: "Shop".to_owned(),
            group: "[prod-us]".to_owned(),
            interval: "30s".to_owned(),
            status: "200, 204,3xx".to_owned(),
            body_contains: "\"status\":\"ok\"".to_owned(),
            response_time: "1500ms".to_owned(),
            channels: vec!["chat".to_owned(), "on call".to_owned()],
            ..http("https://shop.example.com/health?full=1&x=$y")
        };
        let expected = "  - name: Shop\n    group: \"[prod-us]\"\n    http: \"https://shop.example.com/health?full=1&x=$$y\"\n    interval: 30s\n    expect:\n      status: [200, 204, 3xx]\n      body_contains: \"\\\"status\\\":\\\"ok\\\"\"\n      response_time: 1500ms\n    channels: [chat, on call]\n";
        assert_eq!(text(&draft), expected);
        let config = load(&draft, &["chat", "on call"]).expect("valid");
        let ProbeSpec::Http(spec) = &config.monitors[0].probe else { panic!("http") };
        assert_eq!(spec.url.as_str(), "https://shop.example.com/health?full=1&x=$y");
        assert_eq!(config.monitors[0].expect.status.len(), 3);
    }

    #[test]
    fn ports_and_jobs_are_written_too() {
        let tcp = Draft {
            kind: DraftKind::Tcp,
            target: "[2001:db8::1]:5432".to_owned(),
            interval: "5m".to_owned(),
            status: "200".to_owned(),
            ..Draft::default()
        };
        assert_eq!(text(&tcp), "  - tcp: \"[2001:db8::1]:5432\"\n    interval: 5m\n");
        let job = Draft {
            kind: DraftKind::Heartbeat,
            name: "Backup".to_owned(),
            cron: "0 2 * * *".to_owned(),
            timezone: "Europe/Riga".to_owned(),
            grace: "1h".to_owned(),
            ..Draft::default()
        };
        assert_eq!(
            text(&job),
            "  - name: Backup\n    heartbeat:\n      cron: \"0 2 * * *\"\n      timezone: Europe/Riga\n      grace: 1h\n"
        );
        for draft in [&tcp, &job] {
            assert!(load(draft, &[]).is_ok(), "{}", draft.yaml());
        }
    }

    #[test]
    fn what_is_wrong_is_found_in_its_field() {
        let job = || Draft { kind: DraftKind::Heartbeat, name: "x".to_owned(), ..Draft::default() };
        let site = || http("https://example.com");
        for (draft, field) in [
            (http(""), Some("target")),
            (http("localhost:18490/ok"), Some("target")),
            (Draft { kind: DraftKind::Tcp, ..http("nowhere") }, Some("target")),
            (Draft { name: "x".repeat(300), ..site() }, Some("name")),
            (Draft { id: "A B".to_owned(), ..site() }, Some("id")),
            (Draft { group: "x".repeat(300), ..site() }, Some("group")),
            (Draft { interval: "soon".to_owned(), ..site() }, Some("interval")),
            (Draft { status: "200,2000".to_owned(), ..site() }, Some("status")),
            (Draft { response_time: "soon".to_owned(), ..site() }, Some("response_time")),
            (job(), Some("interval")),
            (Draft { interval: "soon".to_owned(), ..job() }, Some("interval")),
            (Draft { cron: "soon".to_owned(), ..job() }, Some("cron")),
            (Draft { cron: "0 2 * * *".to_owned(), timezone: "Nowhere".to_owned(), ..job() }, Some("timezone")),
            (Draft { interval: "1h".to_owned(), grace: "soon".to_owned(), ..job() }, Some("grace")),
            (Draft { channels: vec!["nobody".to_owned()], ..site() }, None),
        ] {
            let problems = load(&draft, &[]).expect_err("it is wrong");
            let found: Vec<_> = problems.iter().map(|problem| field_of(&problem.path)).collect();
            assert_eq!(found.first(), Some(&field), "{problems:?}");
        }
        assert_eq!(field_of("channels[0].webhook.url"), None);
    }

    #[test]
    fn what_is_missing_or_wrong_is_said_by_the_config() {
        for (draft, said) in [
            (http(""), "http"),
            (http("ftp://example.com"), "ftp"),
            (Draft { interval: "soon".to_owned(), ..http("https://example.com") }, "soon"),
            (Draft { status: "2000".to_owned(), ..http("https://example.com") }, "2000"),
            (Draft { kind: DraftKind::Heartbeat, name: "x".to_owned(), ..Draft::default() }, "when it is expected"),
            (Draft { channels: vec!["nobody".to_owned()], ..http("https://example.com") }, "nobody"),
        ] {
            let problems = load(&draft, &[]).expect_err(said);
            assert!(problems.iter().any(|problem| problem.to_string().contains(said)), "{said}: {problems:?}");
        }
    }
}
