//! How programs inside learn of the proxy.

/// The port of the proxy on the loopback of a sandbox.
pub(crate) const PROXY_PORT: u16 = 3128;

const PROXY: &str = "http://127.0.0.1:3128";
/// What is inside is reached directly.
const LOCAL: &str = "localhost,127.0.0.1,::1";

/// Variables that tell programs of the proxy. Both spellings, because curl reads `http_proxy` in lower case alone and others
/// only the upper case. cargo, git, npm, pip and most libraries read these; Node's own `fetch` does when it is told to. A Java
/// virtual machine reads none of them.
pub(crate) const VARIABLES: [(&str, &str); 9] = [
    ("HTTP_PROXY", PROXY),
    ("http_proxy", PROXY),
    ("HTTPS_PROXY", PROXY),
    ("https_proxy", PROXY),
    ("ALL_PROXY", PROXY),
    ("all_proxy", PROXY),
    ("NO_PROXY", LOCAL),
    ("no_proxy", LOCAL),
    ("NODE_USE_ENV_PROXY", "1"),
];
