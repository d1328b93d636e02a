//! Cookies within one check, for redirects that rely on them (RFC 6265, the part that decides what is sent back). Nothing
//! outlives the check, so dates do not matter beyond "already over".

use url::Url;

/// Most cookies that one check keeps; further ones are dropped.
const COOKIES_MAX: usize = 50;

/// Longest cookie, name and value together, in bytes; longer ones are dropped.
const COOKIE_BYTES_MAX: usize = 4096;

#[derive(Debug)]
struct Cookie {
    name: String,
    value: String,
    domain: String,
    host_only: bool,
    path: String,
    secure: bool,
}

/// What targets asked to be sent back.
#[derive(Debug, Default)]
pub(crate) struct Jar(Vec<Cookie>);

impl Jar {
    /// Takes the values of the `Set-Cookie` headers of an answer from `url`.
    pub(crate) fn keep<'a>(&mut self, url: &Url, values: impl Iterator<Item = &'a [u8]>) {
        for value in values.filter_map(|value| std::str::from_utf8(value).ok()) {
            self.keep_one(url, value);
        }
    }

    fn keep_one(&mut self, url: &Url, text: &str) {
        let host = url.host_str().unwrap_or_default();
        let mut parts = text.split(';');
        let Some((name, value)) = parts.next().and_then(|pair| pair.split_once('=')) else { return };
        let (name, value) = (name.trim(), value.trim());
        if name.is_empty() || name.len() + value.len() > COOKIE_BYTES_MAX || value.bytes().any(|byte| byte < b' ' || byte == 0x7f) {
            return;
        }
        let mut cookie = Cookie {
            name: name.to_owned(),
            value: value.to_owned(),
            domain: host.to_owned(),
            host_only: true,
            path: default_path(url.path()).to_owned(),
            secure: false,
        };
        let mut over = false;
        for attribute in parts {
            let (key, value) = attribute.split_once('=').unwrap_or((attribute, ""));
            let value = value.trim();
            match key.trim().to_ascii_lowercase().as_str() {
                "secure" => cookie.secure = true,
                "path" if value.starts_with('/') => value.clone_into(&mut cookie.path),
                "max-age" => over = value.parse::<i64>().is_ok_and(|seconds| seconds <= 0),
                "domain" => {
                    let domain = value.trim_start_matches('.').to_ascii_lowercase();
                    // A name without a dot is a whole top-level domain.
                    if domain.contains('.') && belongs(host, &domain) && host.parse::<std::net::IpAddr>().is_err() {
                        cookie.domain = domain;
                        cookie.host_only = false;
                    } else if !domain.is_empty() && domain != host {
                        return;
                    }
                }
                _ => {}
            }
        }
        self.0.retain(|old| (&old.name, &old.domain, &old.path) != (&cookie.name, &cookie.domain, &cookie.path));
        if !over && self.0.len() < COOKIES_MAX {
            self.0.push(cookie);
        }
    }

    /// The value of the `Cookie` header for a request to `url`.
    pub(crate) fn header(&self, url: &Url) -> Option<String> {
        let host = url.host_str().unwrap_or_default();
        let fitting = self.0.iter().filter(|cookie| {
            let here = if cookie.host_only { host == cookie.domain } else { belongs(host, &cookie.domain) };
            here && covers(&cookie.path, url.path()) && (!cookie.secure || url.scheme() == "https")
        });
        let pairs: Vec<String> = fitting.map(|cookie| format!("{}={}", cookie.name, cookie.value)).collect();
        (!pairs.is_empty()).then(|| pairs.join("; "))
    }
}

fn belongs(host: &str, domain: &str) -> bool {
    host == domain || host.strip_suffix(domain).is_some_and(|front| front.ends_with('.'))
}

fn default_path(path: &str) -> &str {
    match path.rfind('/') {
        None | Some(0) => "/",
        Some(end) => &path[..end],
    }
}

fn covers(of_cookie: &str, path: &str) -> bool {
    path.strip_prefix(of_cookie).is_some_and(|rest| of_cookie.ends_with('/') || rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn assert_sent(set: &[&str], to: &str, expected: Option<&str>) {
        let mut jar = Jar::default();
        jar.keep(&Url::parse("https://www.a.example/shop/login").expect("url"), set.iter().map(|text| text.as_bytes()));
        assert_eq!(jar.header(&Url::parse(to).expect("url")).as_deref(), expected, "{set:?} {to}");
    }

    #[test]
    fn cookies_go_back_where_they_came_from_and_nowhere_else() {
        assert_sent(&["a=1", "b=2; HttpOnly"], "https://www.a.example/shop/", Some("a=1; b=2"));
        assert_sent(&["a=1"], "https://www.a.example/other", None);
        assert_sent(&["a=1; Path=/"], "https://www.a.example/other", Some("a=1"));
        assert_sent(&["a=1; Path=/sh"], "https://www.a.example/shop", None);
        assert_sent(&["a=1; Path=/"], "https://a.example/", None);
        assert_sent(&["a=1; Path=/; Domain=a.example"], "https://api.a.example/", Some("a=1"));
        assert_sent(&["a=1; Path=/; Domain=example"], "https://b.example/", None);
        assert_sent(&["a=1; Path=/; Domain=b.example"], "https://b.example/", None);
        assert_sent(&["a=1; Path=/; Secure"], "http://www.a.example/", None);
        assert_sent(&["a=1; Path=/", "a=; Path=/; Max-Age=0"], "https://www.a.example/", None);
        assert_sent(&["a=1; Path=/", "a=2; Path=/"], "https://www.a.example/", Some("a=2"));
        assert_sent(&["=x", "nothing", "a=\u{1}"], "https://www.a.example/shop/", None);
    }

    #[test]
    fn many_and_long_cookies_are_dropped() {
        let mut jar = Jar::default();
        let url = Url::parse("https://a.example/").expect("url");
        let set: Vec<String> = (0..200).map(|n| format!("c{n}=1")).chain([format!("long={}", "x".repeat(5000))]).collect();
        jar.keep(&url, set.iter().map(String::as_bytes));
        assert_eq!(jar.0.len(), COOKIES_MAX);
    }
}
