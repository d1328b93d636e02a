//! From a request to its answer: the one place that finds the route, obtains the proof its right asks for, and calls the handler.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Buf;
use bytes::Bytes;
use http_body_util::BodyExt;
use http_body_util::LengthLimitError;
use http_body_util::Limited;
use hyper::Method;
use hyper::Request;
use hyper::body::Body;
use hyper::header;

use crate::clock::Clock;
use crate::config::Config;
use crate::http::PeerParts;
use crate::http::Reloads;
use crate::http::act_link::ActLinks;
use crate::http::admin;
use crate::http::answer;
use crate::http::answer::Answer;
use crate::http::auth;
use crate::http::auth::Upkeep;
use crate::http::auth::Viewer;
use crate::http::badge;
use crate::http::error::Refusal;
use crate::http::healthchecks;
use crate::http::healthchecks::Office;
use crate::http::heartbeat::receiver::Receiver;
use crate::http::hooks::Hooks;
use crate::http::limits::BODY_TIMEOUT;
use crate::http::limits::FORM_BYTES_MAX;
use crate::http::limits::HOOK_BODY_TIMEOUT;
use crate::http::limits::HOOK_BYTES_MAX;
use crate::http::limits::REQUEST_TIMEOUT;
use crate::http::limits::WRITING_BYTES_MAX;
use crate::http::live;
use crate::http::live::Streams;
use crate::http::local;
use crate::http::local::Control;
use crate::http::next;
use crate::http::operator;
use crate::http::pages::Pages;
use crate::http::pages::Part;
use crate::http::peer_views::LinkReport;
use crate::http::peers;
use crate::http::refused;
use crate::http::route::Deed;
use crate::http::route::LocalRoute;
use crate::http::route::PublicRoute;
use crate::http::route::Route;
use crate::http::route::ViewerRoute;
use crate::http::route::Wire;
use crate::http::route::is_local;
use crate::http::route::route;
use crate::http::route::wire_of;
use crate::http::sign_in::SignIn;
use crate::http::subscriptions;
use crate::http::subscriptions::Subscribing;
use crate::http::viewer::Desk;
use crate::http::visit::Peer;
use crate::http::visit::Visit;
use crate::http::visit::client_address;
use crate::http::visit::host_name;
use crate::http::visit::is_listed;
use crate::http::visit::parse_form;
use crate::http::visitor;
use crate::model::id::PageSlug;
use crate::ui::links::Links;

/// Everything that answers. Shared by all connections.
pub struct Site {
    /// Status pages; all that public handlers get.
    pub pages: Pages,
    /// Sessions and passwords.
    pub sign_in: SignIn,
    /// The operators' pages.
    pub desk: Desk,
    /// Links in messages.
    pub act_links: ActLinks,
    /// What services of channels report.
    pub hooks: Hooks,
    /// Subscriptions to status pages; `None` where nobody is told of anything.
    pub subscribing: Option<Subscribing>,
    /// Takes pings.
    pub receiver: Receiver,
    /// Where reloads are asked for.
    pub reloads: Reloads,
    /// For sign-in links when no public address is configured.
    pub own_url: String,
    /// Where nodes of the cluster are let in.
    pub peers: Option<PeerParts>,
    /// When requests come.
    pub clock: Clock,
    /// Pages that are told what changes.
    pub live: Arc<Streams>,
    /// Counts requests, for their ids.
    pub n_requests: AtomicU64,
    /// It was said already that a proxy is not trusted.
    pub warned_of_proxy: AtomicBool,
}

/// The parts of a request that are needed after it was refused.
struct Asked {
    method: Method,
    path: String,
    wire: Wire,
    links: Links,
    /// Names the request in the log.
    id: String,
}

impl Site {
    /// Answers a request. Never fails: what goes wrong is an answer too.
    pub async fn answer<B>(self: &Arc<Self>, request: Request<B>, peer: Peer) -> Answer
    where
        B: Body + Send,
        B::Data: Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let config = Arc::clone(&self.desk.engine.snapshot().config);
        let links = Links::new(&config.server.base_path);
        // A path outside the base exists as little as an unknown one inside it.
        let path = request.uri().path();
        let path = path.strip_prefix(config.server.base_path.as_str()).unwrap_or_default();
        let path = if path.is_empty() && !config.server.base_path.is_empty() && request.uri().path() == config.server.base_path {
            "/"
        } else {
            path
        };
        // On the network the control socket's paths are refused like any other that nobody thought of.
        let is_out_of_reach = is_local(path) && peer != Peer::Control;
        let wire = if is_out_of_reach { Wire::Page } else { wire_of(path) };
        let id = format!("{:08x}", self.n_requests.fetch_add(1, Ordering::Relaxed));
        let asked = Asked { method: request.method().clone(), path: path.to_owned(), wire, links: links.clone(), id };
        let answered = tokio::time::timeout(REQUEST_TIMEOUT, self.try_answer(request, &asked, peer, &config)).await;
        let answer = answered.unwrap_or(Err(Refusal::Busy)).unwrap_or_else(|refusal| refusal.answer(&links, asked.wire, &asked.id));
        answer::finish(answer)
    }

    async fn try_answer<B>(self: &Arc<Self>, request: Request<B>, asked: &Asked, peer: Peer, config: &Config) -> Result<Answer, Refusal>
    where
        B: Body + Send,
        B::Data: Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        if is_local(&asked.path) && peer != Peer::Control {
            return Err(Refusal::NotFound);
        }
        let found = route(asked.method.as_str(), &asked.path)?;
        let mut request = request;
        let upgrade = (found == Route::Public(PublicRoute::Peer)).then(|| hyper::upgrade::on(&mut request));
        let (parts, body) = request.into_parts();
        let mut visit = self.visit(parts, peer, config, &asked.links);
        // Jobs come by whatever name leads here, from whatever page; what they know is in the address.
        if let Route::Ping(path) = &found {
            return Ok(self.receiver.answer(path, &asked.method, &visit, body).await);
        }
        // Services, too; what they say is proved by a secret, and no cookie is looked at.
        if let Route::Hook(hook) = &found {
            visit.body = read_body(&visit, body, (HOOK_BYTES_MAX, HOOK_BODY_TIMEOUT)).await?;
            return self.hooks.answer(&self.desk, &visit, hook).await;
        }
        // Nodes come by whatever name leads here; what they say is proved by keys.
        if !matches!(found, Route::Public(PublicRoute::Health | PublicRoute::Peer)) {
            visit.require_own_host(&config.server, |host| {
                config.pages.iter().any(|page| page.domains.iter().any(|domain| domain == host))
            })?;
        }
        if let Route::Healthchecks(asked_of) = &found {
            return Ok(self.healthchecks(asked_of, &asked.method, &visit, config).await);
        }
        if let Some(upgrade) = upgrade {
            return peers::let_in(self.peers.as_ref(), &visit, upgrade);
        }
        let is_of_operators = matches!(found, Route::Viewer(_) | Route::Operator(_) | Route::Admin(_)) && asked.wire == Wire::Page;
        let answered = match self.read_form(&found, &mut visit, (asked, config), body).await {
            Ok(()) => self.dispatch(found, &visit, config).await,
            Err(refusal) => Err(refusal),
        };
        match answered {
            // Strangers who only look are led to sign in, in the same way wherever they came.
            Err(refusal) if is_of_operators && !matches!(refusal, Refusal::SignInNeeded(_)) => {
                let viewer = self.identify(&visit, config).await;
                let asked = refused::Asked { method: &asked.method, path: &asked.path, id: &asked.id };
                Ok(refused::page(refusal, asked, &visit, viewer.as_ref(), &self.desk.engine.snapshot()))
            }
            other => other,
        }
    }

    /// Reads what a request that changes something brings along, if one of our own pages or a program sent it.
    async fn read_form<B>(&self, found: &Route, visit: &mut Visit, (asked, config): (&Asked, &Config), body: B) -> Result<(), Refusal>
    where
        B: Body + Send,
        B::Data: Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        if asked.method != Method::POST && asked.method != Method::DELETE {
            return Ok(());
        }
        let peer = visit.peer;
        // What a link in a message does is allowed by its address alone, which no other site can make a browser know.
        let is_by_address = matches!(found, Route::Public(PublicRoute::ActUse(_) | PublicRoute::Subscribe(subscriptions::Asked::Use(_))));
        if visit.bearer().is_none() && peer != Peer::Control && !is_by_address {
            visit.require_same_site(config.server.public_url.as_deref())?;
        }
        let is_writing = is_long(found);
        let is_known = is_writing && (peer == Peer::Control || self.identify(visit, config).await.is_some());
        let bytes_max = if is_known { WRITING_BYTES_MAX } else { FORM_BYTES_MAX };
        visit.body = match read_body(visit, body, (bytes_max, BODY_TIMEOUT)).await {
            // It is not the length that is wrong.
            Err(Refusal::TooLong) if is_writing && !is_known && asked.wire == Wire::Page => {
                return Err(Refusal::SignedOut { is_unread: true });
            }
            read => read?,
        };
        if visit.header("content-type").is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded")) {
            visit.form = parse_form(&visit.body);
        }
        Ok(())
    }

    /// The one place where rights are turned into proofs.
    async fn dispatch(self: &Arc<Self>, route: Route, visit: &Visit, config: &Config) -> Result<Answer, Refusal> {
        match route {
            // Handled before: they have bodies or proofs of their own, or answer methods that nothing else has.
            Route::Ping(_) | Route::Healthchecks(_) | Route::Hook(_) => Err(Refusal::NotFound),
            Route::Public(route) => {
                let viewer = self.identify(visit, config).await;
                self.public(route, visit, config, viewer.is_some()).await
            }
            Route::Viewer(route) => {
                let viewer = self.identify(visit, config).await.ok_or_else(|| sign_in_needed(&route, &visit.query))?;
                if route == ViewerRoute::ApiEvents {
                    return live::open(self, visit, &viewer);
                }
                self.desk.answer(&route, visit, &viewer, &LinkReport::of(self.peers.as_ref())).await
            }
            Route::Operator(route) => {
                let viewer = self.identify(visit, config).await.ok_or_else(|| stranger(route.wire))?;
                let operator = self.sign_in.auth.operator(viewer, visit)?;
                operator::act(&self.desk, &route, visit, &operator).await
            }
            Route::Admin(route) => {
                let viewer = self.identify(visit, config).await.ok_or_else(|| stranger(route.wire))?;
                let admin = self.sign_in.auth.admin(viewer, visit)?;
                admin::act(&self.desk, &route, visit, &admin).await
            }
            Route::Local(route) => {
                let proof = auth::local(visit)?;
                let control = Control {
                    desk: &self.desk,
                    reloads: &self.reloads,
                    links: &self.sign_in.links,
                    peers: self.peers.as_ref(),
                    subscribing: self.subscribing.as_ref(),
                    clock: &self.clock,
                    secret: self.receiver.secret(),
                    own_url: &self.own_url,
                };
                local::answer(&control, route, visit, &proof).await
            }
        }
    }

    async fn healthchecks(&self, asked: &healthchecks::Asked, method: &Method, visit: &Visit, config: &Config) -> Answer {
        let holder = self.sign_in.auth.holder(visit, config);
        let office = Office {
            snapshot: &self.desk.engine.snapshot(),
            archive: self.desk.archive.as_ref(),
            secret: self.receiver.secret(),
            own_url: &self.own_url,
            is_fresh: self.pages.is_fresh(visit.now.wall),
        };
        healthchecks::answer(&office, asked, (method, visit), holder.as_ref()).await
    }

    async fn public(&self, route: PublicRoute, visit: &Visit, config: &Config, is_viewer: bool) -> Result<Answer, Refusal> {
        let (pages, sign_in, archive) = (&self.pages, &self.sign_in, self.desk.archive.as_ref());
        let status = async |slug: PageSlug, part| visitor::status(pages, visit, &slug, part, is_viewer).await;
        match route {
            PublicRoute::Home => match pages.of_domain(&visit.host) {
                // A private page's domain shows strangers what any other name shows them: the way to sign in.
                Some(slug) => match status(slug, Part::Page).await {
                    Err(Refusal::NotFound) => Ok(sign_in.page(visit, &config.auth, pages, None)),
                    shown => shown,
                },
                None if is_viewer => Ok(answer::see_other(&visit.links.dashboard())),
                None => Ok(sign_in.page(visit, &config.auth, pages, None)),
            },
            PublicRoute::Status(slug) => status(slug, Part::Page).await,
            PublicRoute::StatusJson(slug) => status(slug, Part::Json).await,
            PublicRoute::StatusFeed(slug) => status(slug, Part::Feed).await,
            PublicRoute::StatusCalendar(slug) => status(slug, Part::Calendar).await,
            PublicRoute::StatusWidget(slug) => status(slug, Part::Widget).await,
            PublicRoute::StatusTheme(slug) => status(slug, Part::Theme).await,
            PublicRoute::StatusLogo(slug) => status(slug, Part::Logo).await,
            PublicRoute::Subscribe(asked) => {
                let subscribing = self.subscribing.as_ref().ok_or(Refusal::NotFound)?;
                subscribing.answer(&asked, &self.desk.engine.snapshot(), visit).await
            }
            PublicRoute::Badge(asked) => badge::answer(pages, visit, &asked),
            PublicRoute::StatusPassword(slug) => sign_in.to_page(visit, &slug, pages).await,
            PublicRoute::SignIn if is_viewer => Ok(answer::see_other(&visit.links.dashboard())),
            PublicRoute::SignIn => Ok(sign_in.page(visit, &config.auth, pages, None)),
            PublicRoute::SignInForm => sign_in.by_password(visit, &config.auth, pages, archive).await,
            PublicRoute::ToProvider => sign_in.to_provider(visit, config, pages).await,
            PublicRoute::FromProvider => sign_in.from_provider(visit, config, pages, archive).await,
            PublicRoute::Link(token) => Ok(sign_in.link(visit, &token)),
            PublicRoute::LinkUse(token) => sign_in.use_link(visit, &token, &config.auth, archive).await,
            PublicRoute::Act(token) => self.act_links.open(&self.desk.engine.snapshot(), self.receiver.secret(), visit, &token),
            PublicRoute::ActUse(token) => self.act_links.act(&self.desk.engine, self.receiver.secret(), visit, &token).await,
            PublicRoute::SignOut => Ok(sign_in.out(visit, &config.auth, archive).await),
            PublicRoute::Asset(name) => visitor::asset(visit, &name).await,
            PublicRoute::Health => Ok(visitor::health(pages, visit)),
            // Handled before, because it takes the connection with it.
            PublicRoute::Peer => Err(Refusal::NotFound),
            PublicRoute::Robots => Ok(visitor::robots(visit)),
            PublicRoute::Favicon => visitor::favicon(visit).await,
            #[cfg(debug_assertions)]
            PublicRoute::StatusGallery => {
                let language = crate::ui::language::wished(visit.header("accept-language").unwrap_or_default());
                let page = crate::ui::page::gallery::status(&visit.links, crate::ui::language::phrases(language));
                Ok(answer::page(hyper::StatusCode::OK, page))
            }
            #[cfg(debug_assertions)]
            PublicRoute::Gallery => Ok(answer::page(hyper::StatusCode::OK, crate::ui::page::gallery::page(&visit.links))),
        }
    }

    async fn identify(&self, visit: &Visit, config: &Config) -> Option<Viewer> {
        let (viewer, Upkeep { save, ended }) = self.sign_in.auth.identify(visit, config);
        let archive = self.desk.archive.as_ref();
        self.sign_in.forget(archive, ended.into_iter().collect()).await;
        if let Some(row) = save {
            self.sign_in.save(archive, row).await;
        }
        viewer
    }

    fn visit(&self, parts: hyper::http::request::Parts, peer: Peer, config: &Config, links: &Links) -> Visit {
        let server = &config.server;
        let lines: Vec<&str> = parts.headers.get_all("x-forwarded-for").iter().filter_map(|line| line.to_str().ok()).collect();
        let (client, is_proxied) = match peer {
            Peer::Tcp(address) => {
                (Some(client_address(address, &lines, &server.trusted_proxies)), is_listed(address, &server.trusted_proxies))
            }
            Peer::Control => (None, false),
        };
        if let (Peer::Tcp(address), false, false) = (peer, lines.is_empty(), is_proxied) {
            self.warn_of_proxy(address);
        }
        let forwarded = parts.headers.get("x-forwarded-host").filter(|_| is_proxied);
        let host = forwarded.or(parts.headers.get(header::HOST)).and_then(|host| host.to_str().ok());
        // Of several proxies the nearest wrote last.
        let host = host.and_then(|hosts| hosts.rsplit(',').next()).map(host_name).unwrap_or_default();
        let secure = server.tls.is_some() || server.public_url.as_deref().is_some_and(|url| url.starts_with("https://"));
        Visit {
            now: self.clock.now(),
            links: links.clone(),
            peer,
            client,
            host,
            query: parts.uri.query().unwrap_or_default().to_owned(),
            headers: parts.headers,
            secure,
            form: Vec::new(),
            body: Bytes::new(),
        }
    }

    fn warn_of_proxy(&self, peer: IpAddr) {
        if !self.warned_of_proxy.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                "a request came with X-Forwarded-For from {peer}, which `server.trusted_proxies` does not list: the header is not \
                 believed, and all visitors behind that proxy count as one address"
            );
        }
    }
}

/// What is said to strangers who want to change something.
fn stranger(wire: Wire) -> Refusal {
    match wire {
        Wire::Page => Refusal::SignedOut { is_unread: false },
        Wire::Json => Refusal::SignInNeeded(None),
    }
}

fn sign_in_needed(route: &ViewerRoute, query: &str) -> Refusal {
    Refusal::SignInNeeded(next::address(route, query))
}

/// Whether it may bring a long text along.
fn is_long(route: &Route) -> bool {
    match route {
        Route::Operator(route) => matches!(route.deed, Deed::Write(_)),
        Route::Local(route) => matches!(route, LocalRoute::Write(_)),
        Route::Public(_) | Route::Ping(_) | Route::Healthchecks(_) | Route::Hook(_) | Route::Viewer(_) | Route::Admin(_) => false,
    }
}

/// Reads the body. Only bodies that say their length are read: ours do, and a body in chunks through a proxy that sees its end elsewhere is how
/// requests are smuggled.
async fn read_body<B>(visit: &Visit, body: B, (bytes_max, patience): (usize, Duration)) -> Result<Bytes, Refusal>
where
    B: Body + Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    if visit.headers.contains_key(header::TRANSFER_ENCODING) {
        return Err(Refusal::LengthRequired);
    }
    if visit.header("content-length").and_then(|n| n.parse::<usize>().ok()).is_some_and(|n| bytes_max < n) {
        return Err(Refusal::TooLong);
    }
    let read = std::pin::pin!(Limited::new(body, bytes_max).collect());
    let read = tokio::time::timeout(patience, read).await.map_err(|_| Refusal::TooSlow)?;
    let mut whole = match read {
        Ok(collected) => collected.aggregate(),
        Err(error) if error.is::<LengthLimitError>() => return Err(Refusal::TooLong),
        Err(_) => return Err(Refusal::Bad("The body ended early.")),
    };
    let n_bytes = whole.remaining();
    Ok(whole.copy_to_bytes(n_bytes))
}
