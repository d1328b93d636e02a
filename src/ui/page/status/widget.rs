//! A status page in one line, to be framed by other sites.

use maud::DOCTYPE;
use maud::Markup;
use maud::html;

use crate::model::time::UnixMillis;
use crate::ui::component::badge::class;
use crate::ui::component::badge::shape;
use crate::ui::language::Phrases;
use crate::ui::page::status::StatusView;
use crate::ui::page::status::theme;

/// The whole widget: the sentence, which leads to the page. A script of a few lines keeps it current.
#[must_use]
pub fn widget(view: &StatusView, p: &Phrases, now: UnixMillis) -> Markup {
    let state = view.headline.state();
    html! {
        (DOCTYPE)
        html lang=(p.language.code()) data-theme=[theme(view.dark)] {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="robots" content="noindex";
                title { (view.title) }
                link rel="stylesheet" href=(view.links.asset("status.css"));
                @if let Some(href) = &view.stylesheet { link rel="stylesheet" href=(href); }
                script type="module" src=(view.links.asset("widget.js")) {}
            }
            body.widget {
                main {
                    a.(class(state)) href=(view.address) target="_top" rel="noopener" {
                        (shape(state))
                        span { b { (view.summary(p)) } small { (view.title) @if let Some(at) = view.as_of { " · " (p.distance(at, now)) } } }
                    }
                }
            }
        }
    }
}
