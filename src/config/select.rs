//! Which monitors a selection of the config means.

use crate::config::glob::glob_match;
use crate::model::maintenance::Selection;
use crate::model::monitor::Monitor;

/// Whether any part of the selection names this monitor.
#[must_use]
pub fn selects(wanted: &Selection, monitor: &Monitor) -> bool {
    let named = wanted.names.iter().any(|pattern| glob_match(pattern, &monitor.name));
    let grouped = monitor.group.as_ref().is_some_and(|group| wanted.groups.iter().any(|pattern| glob_match(pattern, group)));
    named || grouped || (!wanted.labels.is_empty() && has_labels(wanted, monitor))
}

/// Whether the monitor has all labels that are asked for.
pub(super) fn has_labels(wanted: &Selection, monitor: &Monitor) -> bool {
    wanted.labels.iter().all(|(key, value)| monitor.labels.get(key) == Some(value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::testing;

    #[test]
    fn any_part_is_enough_and_all_labels_are_asked_for() {
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let label = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        let monitor = Monitor {
            name: "[prod] api".to_owned(),
            group: Some("prod".to_owned()),
            labels: [label("team", "web"), label("tier", "1")].into(),
            ..testing::monitor("api")
        };
        let selected = |names: &[&str], groups: &[&str], labels: &[(&str, &str)]| {
            let labels = labels.iter().map(|(key, value)| label(key, value)).collect();
            selects(&Selection { names: texts(names), groups: texts(groups), labels }, &monitor)
        };
        assert!(selected(&["[prod] *"], &[], &[]) && selected(&["x", "*"], &["x"], &[("team", "x")]));
        assert!(selected(&[], &["pr?d"], &[]) && selected(&[], &[], &[("team", "web"), ("tier", "1")]));
        assert!(!selected(&[], &[], &[]), "nothing asked for is nothing, not everything");
        assert!(!selected(&["prod"], &["staging"], &[("team", "web"), ("tier", "2")]));
    }
}
