//! Where an answer sends us, and as what. Pure; whether the address there may be connected to is `policy`'s to say.

use url::Url;

/// One request of a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Step {
    /// Where to; never with user info or fragment.
    pub(crate) url: Url,
    /// Upper case.
    pub(crate) method: String,
    /// Whether the configured body is sent.
    pub(crate) with_body: bool,
    /// Same scheme, host and port all the way from the configured URL: only then are credentials sent.
    pub(crate) at_home: bool,
}

/// The next step after an answer; `None` when the answer is not a redirect to follow.
///
/// # Errors
/// Why the redirect cannot be followed, for people.
pub(crate) fn next(status: u16, location: Option<&[u8]>, from: &Step) -> Result<Option<Step>, String> {
    let (true, Some(location)) = (matches!(status, 301 | 302 | 303 | 307 | 308), location) else { return Ok(None) };
    let text = std::str::from_utf8(location).map_err(|_| "its Location is not text".to_owned())?.trim();
    if text.is_empty() {
        return Err("its Location is empty".to_owned());
    }
    let mut url = from.url.join(text).map_err(|error| format!("its Location `{}` is not a URL: {error}", cut(&without_user_info(text))))?;
    speakable(&url)?;
    // Names and passwords that a target puts into a URL are none of ours. Both setters work on every URL with a host.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_fragment(None);
    // As browsers do it: 303 always asks with GET, 301 and 302 do so after POST.
    let becomes_get = match status {
        303 => from.method != "HEAD" && from.method != "GET",
        301 | 302 => from.method == "POST",
        _ => false,
    };
    let at_home = from.at_home && url.origin() == from.url.origin();
    let method = if becomes_get { "GET".to_owned() } else { from.method.clone() };
    Ok(Some(Step { url, method, with_body: from.with_body && !becomes_get, at_home }))
}

/// Whether we can go to a URL at all.
///
/// # Errors
/// Why not, for people.
pub(crate) fn speakable(url: &Url) -> Result<(), String> {
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!("`{}:` is not http or https", cut(url.scheme())));
    }
    if url.host_str().is_none_or(str::is_empty) || url.port() == Some(0) { Err("the URL has no host or port 0".to_owned()) } else { Ok(()) }
}

/// A Location as it may be shown, without a name and password in it.
pub(crate) fn without_user_info(location: &str) -> String {
    let Some((scheme, rest)) = location.split_once("//") else { return location.to_owned() };
    let end = rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len());
    match rest[..end].rfind('@') {
        Some(at) => format!("{scheme}//[hidden]{}", &rest[at..]),
        None => location.to_owned(),
    }
}

fn cut(text: &str) -> String {
    text.chars().take(100).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(method: &str) -> Step {
        Step { url: Url::parse("https://a.example/x/y?q=1").expect("url"), method: method.to_owned(), with_body: true, at_home: true }
    }

    #[track_caller]
    fn assert_leads(location: &str, to: &str, at_home: bool) {
        let next = next(302, Some(location.as_bytes()), &step("GET")).expect("followed").expect("a redirect");
        assert_eq!((next.url.as_str(), next.at_home), (to, at_home), "{location}");
    }

    #[test]
    fn locations_are_resolved_and_origins_noticed() {
        assert_leads("z", "https://a.example/x/z", true);
        assert_leads("/z?p=2#part", "https://a.example/z?p=2", true);
        assert_leads("?p=2", "https://a.example/x/y?p=2", true);
        assert_leads("//b.example/", "https://b.example/", false);
        assert_leads("http://a.example/", "http://a.example/", false);
        assert_leads("https://a.example:8443/", "https://a.example:8443/", false);
        assert_leads("https://A.EXAMPLE:443/", "https://a.example/", true);
        assert_leads("https://user:pass@a.example/", "https://a.example/", true);
        assert_leads("http://0x7f.1/", "http://127.0.0.1/", false);
        assert_leads("http://2130706433/", "http://127.0.0.1/", false);
        assert_leads("http://[::ffff:127.0.0.1]/", "http://[::ffff:7f00:1]/", false);
    }

    #[test]
    fn what_cannot_be_followed_says_why() {
        for bad in
            ["", "  ", "file:///etc/passwd", "gopher://a/", "javascript:alert(1)", "data:text/plain,x", "http://", "http://a:0/", "unix:/x"]
        {
            assert!(next(302, Some(bad.as_bytes()), &step("GET")).is_err(), "{bad}");
        }
        assert!(next(302, Some(b"\xff\xfe"), &step("GET")).is_err());
    }

    #[test]
    fn user_info_is_hidden() {
        for (location, shown) in [
            ("https://me:secret@a.example/x?y=@", "https://[hidden]@a.example/x?y=@"),
            ("//me@a.example", "//[hidden]@a.example"),
            ("https://a.example/@me", "https://a.example/@me"),
            ("/@me", "/@me"),
        ] {
            assert_eq!(without_user_info(location), shown);
        }
    }

    #[test]
    fn methods_change_as_browsers_change_them() {
        for (status, method, becomes) in [
            (301, "POST", "GET"),
            (302, "POST", "GET"),
            (303, "PUT", "GET"),
            (303, "HEAD", "HEAD"),
            (301, "PUT", "PUT"),
            (307, "POST", "POST"),
            (308, "POST", "POST"),
        ] {
            let next = next(status, Some(b"/z"), &step(method)).expect("followed").expect("a redirect");
            assert_eq!((next.method.as_str(), next.with_body), (becomes, becomes == method), "{status} {method}");
        }
    }

    #[test]
    fn other_answers_are_not_followed() {
        assert_eq!(next(200, Some(b"/z"), &step("GET")), Ok(None));
        assert_eq!(next(304, Some(b"/z"), &step("GET")), Ok(None));
        assert_eq!(next(302, None, &step("GET")), Ok(None));
    }
}
