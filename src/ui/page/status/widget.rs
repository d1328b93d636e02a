//! A status page in one line, to be framed by other sites.

use maud::DOCTYPE;
use maud::Markup;
use maud::html;

use crate::model::time::UnixMillis;
use crate::ui::component::badge::class;
use crate::ui::component::badge::shape;
use crate::ui::language::Phrases;
use crate::ui::page::status::Headline;
use crate::ui::page::status::StatusView;
use crate::ui::page::status::distance;
use crate::ui::page::status::theme;

/// Seconds after which the script fetches it again: it is in pages that others made, and says less than the page.
const REFRESH_S: u32 = 60;

/// The whole widget: the sentence, which leads to the page. A script of a few lines keeps it current, and takes the sentence back when
/// it could not be fetched again for as long as its data is good, and at least twice.
#[must_use]
pub fn widget(view: &StatusView, p: &Phrases, now: UnixMillis) -> Markup {
    let state = view.headline.state();
    let at_least = 2 * u64::from(REFRESH_S);
    let patience = view.old_at.map_or(at_least, |at| at.since(now).as_secs().max(at_least));
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
                noscript { meta http-equiv="refresh" content=(REFRESH_S); }
            }
            body.widget.stale[view.headline == Headline::Stale] {
                main data-refresh=(REFRESH_S) data-fresh=(patience) data-old=(p.no_current_data) {
                    a.(class(state)) href=(view.address) target="_top" rel="noopener" {
                        (shape(state))
                        span { b { (view.summary(p)) } small { span { (view.title) } @if let Some(at) = view.as_of { " · " (distance(at, p, now)) } } }
                    }
                }
            }
        }
    }
}
