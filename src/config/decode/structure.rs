//! Where a slot may stand in a form and in XML: only where its value, escaped, can be nothing but a value.
//!
//! Values come from strangers. Between tags and inside of quotes an escaped value stays text; in a comment, in a script, or in a form's
//! field that holds JSON, the reader undoes the escaping or does not know it.

use crate::model::channel::TemplatePart;

/// What is wrong, and what to do.
pub(super) type Trouble = (&'static str, &'static str);

/// What is wrong with the slots of a form.
pub(super) fn form(parts: &[TemplatePart]) -> Option<Trouble> {
    // The field as it would be read, up to the slot.
    let mut field = String::new();
    for part in parts {
        let text = match part {
            TemplatePart::Text(text) => text.as_str(),
            TemplatePart::Filled(text) => text.reveal_for_use(),
            TemplatePart::Slot(_) => {
                let value = field.split_once('=').map_or(field.as_str(), |(_, value)| value);
                let value = percent_encoding::percent_decode_str(value.trim_start_matches('+')).decode_utf8_lossy();
                if value.trim_start().starts_with(['{', '[', '<']) {
                    let message =
                        "a slot stands in a field of this form that holds JSON or XML itself, where no value can be written safely";
                    return Some((message, "let the field hold the slot alone, or send the JSON as the whole body"));
                }
                continue;
            }
        };
        match text.rsplit_once('&') {
            Some((_, last)) => last.clone_into(&mut field),
            None => field.push_str(text),
        }
    }
    None
}

/// What is wrong with the slots of XML or HTML.
pub(super) fn xml(parts: &[TemplatePart]) -> Option<Trouble> {
    let mut place = Place::Content;
    let mut before = String::new();
    for part in parts {
        let text = match part {
            TemplatePart::Text(text) => text.as_str(),
            TemplatePart::Filled(text) => text.reveal_for_use(),
            TemplatePart::Slot(_) => {
                before.push('x');
                match place {
                    Place::Content | Place::Quoted(_) => continue,
                    Place::Tag => {
                        return Some(("a slot stands inside of a tag", "put it between tags, or inside of quotes: `<a href=\"${link}\">`"));
                    }
                    Place::Until(_) => {
                        return Some((
                            "a slot stands in a comment, CDATA, script or style",
                            "put it between tags, or inside of quotes in a tag",
                        ));
                    }
                }
            }
        };
        for c in text.chars() {
            before.push(c.to_ascii_lowercase());
            place = place.after(&before);
        }
    }
    None
}

/// Where in XML or HTML one is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Between tags.
    Content,
    /// In a tag, outside of quotes.
    Tag,
    /// In an attribute with these quotes.
    Quoted(char),
    /// In what ends with this, and knows no tags before that.
    Until(&'static str),
}

impl Place {
    /// The place after the last character of a text in lower case, at the end of which one was here.
    fn after(self, text: &str) -> Place {
        let c = text.chars().next_back().unwrap_or_default();
        match self {
            Place::Content if c == '<' => Place::Tag,
            Place::Content => Place::Content,
            Place::Tag if text.ends_with("<!--") => Place::Until("-->"),
            Place::Tag if text.ends_with("<![cdata[") => Place::Until("]]>"),
            Place::Tag if c == '"' || c == '\'' => Place::Quoted(c),
            Place::Tag if c == '>' => match text.rsplit('<').next() {
                Some(tag) if tag.starts_with("script") => Place::Until("</script>"),
                Some(tag) if tag.starts_with("style") => Place::Until("</style>"),
                _ => Place::Content,
            },
            Place::Tag => Place::Tag,
            Place::Quoted(quotes) if c == quotes => Place::Tag,
            Place::Quoted(quotes) => Place::Quoted(quotes),
            Place::Until(end) if text.ends_with(end) => Place::Content,
            Place::Until(end) => Place::Until(end),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::channel::Slot;

    /// A template in which `@` is a slot.
    fn parts(text: &str) -> Vec<TemplatePart> {
        let mut parts = Vec::new();
        for (place, text) in text.split('@').enumerate() {
            if 0 < place {
                parts.push(TemplatePart::Slot(Slot::Text));
            }
            parts.push(TemplatePart::Text(text.to_owned()));
        }
        parts
    }

    #[test]
    fn a_slot_of_xml_stands_between_tags_or_in_quotes() {
        for fine in [
            "@",
            "<m>@</m>",
            "<m a=\"@\" b='@'>@</m>",
            "<!-- it's --><m>@</m>",
            "<![CDATA[ <a ]]>@",
            "<script>if (a < b) 'x'</script><p>@</p>",
            "<a t='>'>@",
        ] {
            assert_eq!(xml(&parts(fine)), None, "{fine}");
        }
        for bad in ["<m @>", "<m a=@>", "<@>", "<!-- it's @ -->", "<![CDATA[@]]>", "<SCRIPT>@</script>", "<style>@", "<m a=\"1\"@>"] {
            assert!(xml(&parts(bad)).is_some(), "{bad}");
        }
    }

    #[test]
    fn a_slot_of_a_form_is_the_value_of_a_field_and_not_a_part_of_json_in_it() {
        for fine in ["to=1&msg=@", "@=@&a=x @ y", "a={}&b=@", "msg=vigilmon: @ {"] {
            assert_eq!(form(&parts(fine)), None, "{fine}");
        }
        for bad in ["payload={\"text\":\"@\"}", "payload=%7B%22text%22:%22@%22%7D", "a=1&b=+<m>@</m>", "a=@&b=[@]"] {
            assert!(form(&parts(bad)).is_some(), "{bad}");
        }
    }
}
