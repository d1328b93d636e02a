//! The server as a whole, asked from outside.

mod acts;
mod badges;
mod beats;
mod channels;
mod drafts;
mod healthchecks;
mod hooks;
mod incidents;
mod injection;
mod live;
mod monitor;
mod overview;
mod pages;
mod peers;
mod planned;
mod refused;
mod regions;
mod rights;
mod sign_in;
mod weight;
mod wire;
pub(in crate::http) mod world;
mod writings;

#[test]
fn keys_follow_the_secret_of_the_instance() {
    let key = |secret: &str| {
        let own = crate::http::Own::new(String::new(), crate::model::secret::Secret::new(secret));
        own.pass_key.as_ref().to_vec()
    };
    assert_eq!(key("a"), key("a"), "a restart asks nobody for a page's password again");
    assert_ne!(key("a"), key("b"));
    assert_ne!(key("a"), b"a");
}
