//! The config as people meet it: one bad file per mistake with the exact text, the shipped example, the schema and the manual.
//!
//! `BLESS=1 cargo test --test config` writes what the program says now; the difference is then reviewed like code.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

use vigilmon::config;
use vigilmon::config::Config;
use vigilmon::config::Problem;
use vigilmon::config::SourceText;
use vigilmon::config::Surroundings;

/// A world with two files and two variables.
struct World {
    files: BTreeMap<&'static str, &'static str>,
}

impl World {
    fn new() -> World {
        let files = BTreeMap::from([
            ("token", "s3cret-token\n"),
            ("ca.pem", "-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n"),
            ("client.key", "-----BEGIN PRIVATE KEY-----\nMA==\n-----END PRIVATE KEY-----\n"),
            ("page.css", "body { color: black }\n"),
            ("logo.svg", "<svg/>\n"),
            ("/credentials/api", "from-systemd\n"),
        ]);
        World { files }
    }
}

impl Surroundings for World {
    fn env(&self, name: &str) -> Option<String> {
        match name {
            "TOKEN" => Some("very-secret".to_owned()),
            "SECRET_URL" => Some("ftp://very-secret.example.com".to_owned()),
            "EMPTY" => Some(String::new()),
            "VIGILMON_CLUSTER_SECRET" => Some("0123456789abcdef".to_owned()),
            "VIGILMON_NODE" => Some("us-east".to_owned()),
            "CREDENTIALS_DIRECTORY" => Some("/credentials".to_owned()),
            _ => None,
        }
    }

    fn file(&self, path: &Path) -> Result<Vec<u8>, String> {
        let found = path.to_str().and_then(|path| self.files.get(path));
        found.map(|text| text.as_bytes().to_vec()).ok_or_else(|| "there is no such file".to_owned())
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn load(file: &str, text: &str) -> Result<Config, Vec<Problem>> {
    config::load(&[SourceText { file: PathBuf::from(file), text: text.to_owned() }], &World::new())
}

fn said(problems: &[Problem]) -> String {
    problems.iter().map(|problem| format!("{problem}\n")).collect()
}

/// Compares a file of the repository with what it should be, or writes it.
#[track_caller]
fn assert_file(path: &Path, expected: &str) {
    if std::env::var_os("BLESS").is_some() {
        fs::write(path, expected).expect("the file can be written");
    }
    let found = fs::read_to_string(path).unwrap_or_default();
    assert_eq!(found, expected, "{} differs; BLESS=1 writes it anew", path.display());
}

#[test]
fn every_bad_file_is_answered_with_its_exact_text() {
    let dir = root().join("tests/config");
    let mut names: Vec<PathBuf> = fs::read_dir(&dir).expect("tests/config").map(|entry| entry.expect("an entry").path()).collect();
    names.retain(|path| path.extension().is_some_and(|e| e == "yaml"));
    names.sort();
    assert!(names.len() > 50, "the bad files are gone");
    for path in names {
        let text = fs::read_to_string(&path).expect("a readable file");
        let name = path.file_name().and_then(|name| name.to_str()).expect("a name");
        let problems = load(name, &text).expect_err(name);
        let shown = said(&problems);
        assert!(!shown.contains("very-secret"), "{name} shows a secret:\n{shown}");
        assert_file(&path.with_extension("txt"), &shown);
    }
}

#[test]
fn the_example_and_the_starter_load_without_a_problem() {
    let example = fs::read_to_string(root().join("config.example.yaml")).expect("the example");
    let config = load("config.example.yaml", &example).unwrap_or_else(|problems| panic!("{}", said(&problems)));
    assert_eq!(config.monitors.len(), 2);
    assert_eq!(config.pages[0].groups[0].monitors.len(), 2);
    assert!(example.starts_with("# yaml-language-server: $schema=./config.schema.json\n"));
    load("starter.yaml", &config::starter_config()).unwrap_or_else(|problems| panic!("{}", said(&problems)));
}

#[test]
fn the_example_mentions_every_key() {
    let example = fs::read_to_string(root().join("config.example.yaml")).expect("the example");
    let words: Vec<&str> = example.split(|c: char| !(c.is_alphanumeric() || c == '_')).collect();
    let missing: Vec<String> =
        config::key_paths().into_iter().filter(|path| !words.contains(&path.rsplit('.').next().unwrap_or_default())).collect();
    assert!(missing.is_empty(), "config.example.yaml does not mention {missing:?}");
}

#[test]
fn the_example_still_loads_when_everything_in_comments_is_switched_on() {
    let example = fs::read_to_string(root().join("config.example.yaml")).expect("the example");
    let switched_on: Vec<String> = example.lines().skip(13).map(switch_on).collect();
    let text = switched_on.join("\n");
    let problems = load("example.yaml", &text).err().unwrap_or_default();
    // What is left is about files and variables that this test does not have.
    let left: Vec<&Problem> = problems
        .iter()
        .filter(|p| !p.message.contains("cannot read the file") && !p.message.contains("is not set"))
        .filter(|p| !p.message.contains("asking in one way only") && !p.message.contains("says nothing"))
        .filter(|p| !p.message.contains("in more than one way when it is"))
        .filter(|p| !p.message.contains("of `us-east`") && !p.path.starts_with("peers"))
        .collect();
    assert!(left.is_empty(), "{}\n{text}", left.iter().map(|p| format!("{p}\n")).collect::<String>());
}

/// Takes the `# ` off a line that is a key or an item of a list; sentences stay comments.
fn switch_on(line: &str) -> String {
    let indent = line.len() - line.trim_start().len();
    let mut rest = line.trim_start();
    let mut extra = 0;
    while let Some(inner) = rest.strip_prefix("# ") {
        let content = inner.trim_start();
        let is_key = content.starts_with("# ")
            || content.trim_start_matches("- ").split_once(':').is_some_and(|(key, after)| {
                !key.contains(' ') && key != "also" && (after.is_empty() || after.starts_with(' ')) || content.starts_with("- {")
            });
        if !is_key {
            return line.to_owned();
        }
        extra += inner.len() - content.len();
        rest = content;
    }
    format!("{}{rest}", " ".repeat(indent + extra))
}

#[test]
fn the_schema_and_the_manual_are_up_to_date() {
    let schema = serde_json::to_string_pretty(&config::json_schema()).expect("a schema");
    assert_file(&root().join("config.schema.json"), &format!("{schema}\n"));
    assert_file(&root().join("docs/configuration.md"), &config::reference_markdown());
}

#[test]
fn files_are_joined_and_a_scalar_set_twice_names_both_places() {
    let source = |file: &str, text: &str| SourceText { file: PathBuf::from(file), text: text.to_owned() };
    let one = source("a.yaml", "server: { listen: 127.0.0.1:1 }\nmonitors:\n  - tcp: a:1\n");
    let two = source("b.yaml", "server: { base_path: /x }\nmonitors:\n  - tcp: b:1\n");
    let config = config::load(&[one.clone(), two], &World::new()).expect("a config");
    assert_eq!(config.monitors.iter().map(|m| m.name.as_str()).collect::<Vec<_>>(), ["a:1", "b:1"]);
    assert_eq!(config.server.base_path, "/x");
    let three = source("c.yaml", "server:\n  listen: 127.0.0.1:2\nmonitors: []\n");
    let problems = config::load(&[one, three], &World::new()).expect_err("set twice");
    assert_eq!(said(&problems), "c.yaml:2:11: server.listen: this is already set in a.yaml:1\n  hint: keep one of the two\n");
}

#[test]
fn a_yaml_bomb_is_refused_quickly() {
    let mut text = String::from("x-a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for n in 1..12 {
        let aliases = vec![format!("*a{}", n - 1); 10].join(", ");
        text.push_str(&format!("x-a{n}: &a{n} [{aliases}]\n"));
    }
    let problems = load("bomb.yaml", &text).expect_err("a bomb");
    assert_eq!(problems.len(), 1, "{}", said(&problems));
    assert!(problems[0].message.contains("too large once its aliases are filled in"), "{}", said(&problems));
    let deep = format!("x: {}{}", "[".repeat(5000), "]".repeat(5000));
    assert!(load("deep.yaml", &deep).is_err());
    let large = "#".repeat(9 << 20);
    let problems = load("large.yaml", &large).expect_err("too large");
    assert!(problems[0].message.contains("more than the"), "{}", said(&problems));
}

#[test]
fn a_hundred_mistakes_are_all_told_at_once() {
    let mut text = String::from("monitors:\n");
    for n in 0..100 {
        text.push_str(&format!("  - {{ name: m{n}, tcp: \"host:1\", intervall: 1m }}\n"));
    }
    let problems = load("many.yaml", &text).expect_err("a hundred mistakes");
    assert_eq!(problems.len(), 100);
    assert!(problems.iter().enumerate().all(|(n, p)| p.line as usize == n + 2 && p.hint == "did you mean `interval`?"));
}

#[test]
fn thousands_of_monitors_load_and_may_share_an_anchor() {
    let mut text = String::from("x-base: &base { interval: 30s, labels: { team: a }, expect: { status: 200 } }\nmonitors:\n");
    for n in 0..3000 {
        text.push_str(&format!("  - <<: *base\n    name: monitor {n}\n    http: https://host-{n}.example.com/health\n"));
    }
    let config = load("large.yaml", &text).unwrap_or_else(|problems| panic!("{}", said(&problems[..1])));
    assert_eq!(config.monitors.len(), 3000);
    assert!(config.monitors.iter().all(|m| m.interval.as_secs() == 30 && m.labels.len() == 1));
}
