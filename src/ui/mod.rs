//! Pages as functions: a view struct goes in, markup comes out.
//!
//! Nothing here knows the config, the store or the request. What a page may show is decided by whoever fills its view struct
//! (`crate::http`), so a page cannot leak what its view does not carry. State is always told by a word and a shape, colour only
//! repeats it. The content security policy forbids inline styles and scripts: drawings use SVG attributes, looks are classes of
//! `ui/style.css` and `ui/status.css`, and `ui/app.js` and `ui/status.js` only enhance pages that are complete without them.

pub mod accent;
pub mod assets;
pub mod component;
pub mod language;
pub mod layout;
pub mod links;
pub mod markdown;
pub mod page;
pub mod text;
