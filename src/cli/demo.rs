//! `vigilmon demo`: how the story looks on a terminal. Fits eighty columns; colours are never the only sign of anything.

use std::time::Duration;

use crate::app::demo;
use crate::app::demo::Message;
use crate::app::demo::Player;
use crate::app::demo::Told;
use crate::cli::Exit;
use crate::cli::args::DemoOptions;
use crate::cli::output;
use crate::cli::output::Colour;
use crate::cli::output::coloured;

/// Columns that every terminal has.
const COLUMNS: usize = 80;

/// What stands before what happens: `  0:07  `.
const MARGIN: usize = 8;

pub(super) fn run(options: &DemoOptions) -> Exit {
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            output::say(&format!("cannot start: {error}"));
            return Exit::Failed;
        }
    };
    output::data("vigilmon demo: three instances, one verdict, one alert. Starting them …\n");
    let outcome = runtime.block_on(demo::run(demo::Options { port: options.port, once: options.once, tell }));
    // Somebody may still be waiting for Enter.
    runtime.shutdown_background();
    match outcome {
        Ok(true) => Exit::Fine,
        Ok(false) => Exit::No,
        Err(error) => {
            output::say(&format!("vigilmon: {error}"));
            Exit::Failed
        }
    }
}

fn tell(told: &Told) {
    output::data(&text(told, output::has_colour()));
}

fn text(told: &Told, has_colour: bool) -> String {
    let grey = |text: &str| coloured(text, Colour::Grey, has_colour);
    match told {
        Told::Players(players, link) => introduction(players, link, has_colour),
        Told::Scene(number, of, title, text) => {
            let head = format!("{number}/{of}  {title} ");
            let rule = "─".repeat(COLUMNS.saturating_sub(head.chars().count()));
            format!("\n{head}{}\n{}\n", grey(&rule), wrapped(text, 5))
        }
        Told::Shown(at, shown) => {
            let cells: Vec<String> =
                shown.iter().map(|(name, word)| format!("{name}: {}", coloured(word, colour(word), has_colour))).collect();
            format!("{}{}\n", time(*at), cells.join("   "))
        }
        Told::Message(at, message) => arrived(*at, message, has_colour),
        Told::Fine(at, text) => format!("{}{} {text}\n", time(*at), coloured("✓", Colour::Green, has_colour)),
        Told::Wrong(at, text) => format!("{}{} {text}\n", time(*at), coloured("✗", Colour::Red, has_colour)),
        Told::End(went_well, text) => {
            let (word, colour) = if *went_well { ("As it should be.", Colour::Green) } else { ("NOT as it should be.", Colour::Red) };
            format!("\n{}\n{}\n", coloured(word, colour, has_colour), wrapped(text, 0))
        }
        Told::Waiting(true) => "\nThe pages stay open. Enter tells the story again, Ctrl-C ends it.\n".to_owned(),
        Told::Waiting(false) => "\nThe pages stay open, and the story begins again in 5 minutes. Ctrl-C ends it.\n".to_owned(),
    }
}

fn introduction(players: &[Player], link: &str, has_colour: bool) -> String {
    let mut out = "\nTheir status pages; all three show the same:\n\n".to_owned();
    let width = players.iter().map(|player| player.place.chars().count()).max().unwrap_or(0);
    for player in players {
        out.push_str(&format!("  {:<8} {:<width$}  {}\n", player.name, player.place, player.page));
    }
    let first = players.first().map_or("", |player| player.name);
    out.push_str(&format!("\nA way into the dashboard of {first}, once:\n\n  {}\n", coloured(link, Colour::Grey, has_colour)));
    out
}

/// A message as a box of its own, so that it is what catches the eye.
fn arrived(at: Duration, message: &Message, has_colour: bool) -> String {
    let colour = match message.event.as_str() {
        "down" => Colour::Red,
        "recovered" => Colour::Green,
        _ => Colour::Yellow,
    };
    let bar = coloured("┃", colour, has_colour);
    let head = format!("► {} hears from {}: {}", message.to, message.from, message.event);
    let mut out = format!("{}{}\n", time(at), coloured(&head, colour, has_colour));
    let mut lines: Vec<String> = lines(&message.text, COLUMNS - MARGIN - 2);
    if !message.regions_failing.is_empty() {
        lines.push(format!("regions_failing: {}", message.regions_failing.join(", ")));
    }
    lines.push(format!("incident {}  key {}…", message.incident, message.key.chars().take(12).collect::<String>()));
    for line in lines {
        out.push_str(&format!("{:MARGIN$}{bar} {line}\n", ""));
    }
    out
}

fn colour(word: &str) -> Colour {
    match word {
        "up" => Colour::Green,
        "DOWN" => Colour::Red,
        word if word.starts_with("up") => Colour::Yellow,
        _ => Colour::Grey,
    }
}

/// `  1:07  `
fn time(at: Duration) -> String {
    let secs = at.as_secs();
    format!("{:>4}:{:02} ", secs / 60, secs % 60)
}

/// Text in lines that fit, each moved to the right.
fn wrapped(text: &str, indent: usize) -> String {
    let lines: Vec<String> = lines(text, COLUMNS - indent).into_iter().map(|line| format!("{:indent$}{line}", "")).collect();
    lines.join("\n")
}

/// Text in lines of at most `width`; a word that is longer stands alone.
fn lines(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let Some(line) = lines.last_mut() else { break };
        let n = line.chars().count();
        if n == 0 {
            line.push_str(word);
        } else if n + 1 + word.chars().count() <= width {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message() -> Message {
        Message {
            to: "on-call",
            from: "eu-west".to_owned(),
            event: "down".to_owned(),
            text: "shop is DOWN since 20:51 UTC: status 503 instead of 2xx (failing from eu-west, us-east)".to_owned(),
            regions_failing: vec!["eu-west".to_owned(), "us-east".to_owned()],
            key: "ff2616afc6f4374f5a24a6ea6acf6727".to_owned(),
            incident: "h3m62al3uteng".to_owned(),
        }
    }

    #[test]
    fn a_message_reads_like_this_and_fits() {
        let expected = "   0:25 ► on-call hears from eu-west: down\n        \
                        ┃ shop is DOWN since 20:51 UTC: status 503 instead of 2xx (failing from\n        \
                        ┃ eu-west, us-east)\n        \
                        ┃ regions_failing: eu-west, us-east\n        \
                        ┃ incident h3m62al3uteng  key ff2616afc6f4…\n";
        assert_eq!(text(&Told::Message(Duration::from_secs(25), message()), false), expected);
        assert!(expected.lines().all(|line| line.chars().count() <= COLUMNS));
    }

    #[test]
    fn everything_fits_and_colours_change_no_word() {
        let secs = Duration::from_secs(125);
        let all = [
            Told::Scene(2, 5, "One region cannot reach it", "word ".repeat(60)),
            Told::Shown(secs, ["us-east", "eu-west", "home"].map(|name| (name, "up, regional".to_owned())).to_vec()),
            Told::Fine(secs, "killed us-east".to_owned()),
            Told::Message(secs, message()),
            Told::End(false, "word ".repeat(40)),
            Told::Waiting(true),
            Told::Waiting(false),
        ];
        for told in all {
            let plain = text(&told, false);
            assert!(!plain.contains('\u{1b}'), "{plain}");
            assert!(plain.lines().all(|line| line.chars().count() <= COLUMNS), "{plain}");
            let mut bare = String::new();
            for part in text(&told, true).split('\u{1b}') {
                bare.push_str(part.strip_prefix('[').and_then(|rest| rest.split_once('m')).map_or(part, |(_, rest)| rest));
            }
            assert_eq!(bare, plain);
        }
    }
}
