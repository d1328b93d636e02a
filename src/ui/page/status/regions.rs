//! What each region says: groups and services down, regions across. A region that fails is seen by its head, a service by its row.

use maud::Markup;
use maud::html;

use crate::model::verdict::Verdict;
use crate::ui::component::badge::badge_saying;
use crate::ui::component::badge::class;
use crate::ui::component::badge::shape;
use crate::ui::language::Phrases;
use crate::ui::page::status::GroupView;
use crate::ui::page::status::RegionCell;
use crate::ui::page::status::ServiceView;
use crate::ui::page::status::severity;

/// Up to so many services all have their row; of more only groups, and the services that are not well from everywhere.
const ALL_LISTED: usize = 8;

/// The table. Nothing without regions; on a narrow screen it is scrolled.
pub(super) fn matrix(groups: &[GroupView], p: &Phrases) -> Markup {
    let all: Vec<&ServiceView> = groups.iter().flat_map(|group| &group.services).filter(|service| !service.regions.is_empty()).collect();
    let Some(first) = all.first() else { return html! {} };
    let is_long = ALL_LISTED < all.len();
    html! {
        section {
            h2 { (p.regions) }
            div.scroll tabindex="0" { table.matrix {
                thead { tr {
                    th { span.sr-only { (p.service) } }
                    @for (i, cell) in first.regions.iter().enumerate() { (head(&cell.region, &all, i, p)) }
                } }
                @for group in groups.iter().filter(|group| group.services.iter().any(|service| !service.regions.is_empty())) {
                    tbody {
                        @if is_long || groups.len() > 1 { (group_row(group, first.regions.len(), p)) }
                        @for service in group.services.iter().filter(|service| !service.regions.is_empty() && (!is_long || !is_well(service))) {
                            tr { th scope="row" { (service.name) } @for cell in &service.regions { td { (state(cell.state, p)) } } }
                        }
                    }
                }
            } }
            @if is_long { p.quiet { (p.only_troubled) } }
        }
    }
}

fn head(region: &str, all: &[&ServiceView], column: usize, p: &Phrases) -> Markup {
    let n = all.iter().filter(|service| is_failing(service.regions.get(column))).count();
    let look = worst(all.iter().filter_map(|service| service.regions.get(column)));
    html! {
        th.(class(look)).failing[n > 0] scope="col" {
            (region) " "
            span.tally { (shape(look)) " " @if n > 0 { ((p.n_failing)(n)) } @else { (p.none_failing) } }
        }
    }
}

fn group_row(group: &GroupView, n_regions: usize, p: &Phrases) -> Markup {
    html! {
        tr.group {
            th scope="rowgroup" { (group.name) }
            @for i in 0..n_regions {
                @let n = group.services.iter().filter(|service| is_failing(service.regions.get(i))).count();
                @let look = worst(group.services.iter().filter_map(|service| service.regions.get(i)));
                td { (badge_saying(look, &if n > 0 { (p.n_failing)(n) } else { (p.state)(look).to_owned() })) }
            }
        }
    }
}

fn state(state: Option<Verdict>, p: &Phrases) -> Markup {
    html! {
        @match state {
            Some(state) => (badge_saying(state, (p.state)(state))),
            None => span.quiet title=(p.not_checked_here) { "–" span.sr-only { " " (p.not_checked_here) } },
        }
    }
}

fn worst<'a>(cells: impl Iterator<Item = &'a RegionCell>) -> Verdict {
    cells.filter_map(|cell| cell.state).min_by_key(|state| severity(*state)).unwrap_or(Verdict::Unknown)
}

fn is_failing(cell: Option<&RegionCell>) -> bool {
    cell.is_some_and(|cell| matches!(cell.state, Some(Verdict::Down | Verdict::Degraded)))
}

fn is_well(service: &ServiceView) -> bool {
    service.regions.iter().all(|cell| matches!(cell.state, Some(Verdict::Up | Verdict::Paused) | None))
}
