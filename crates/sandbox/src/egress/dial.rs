//! From a checked host to a connection: the list, then the addresses, then dialling exactly what was checked.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::timeout;

use super::host::Host;
use super::{AllowList, Resolver, Verdict, address};

/// How long finding the addresses may take, and how long each of them may take to answer.
const RESOLVE: Duration = Duration::from_secs(15);
const CONNECT: Duration = Duration::from_secs(15);
/// How many addresses are tried.
const TRIES: usize = 4;

/// Connects to a host if the list and its addresses allow it; else says what is the matter.
pub(super) async fn dial(
    list: &AllowList,
    resolver: &dyn Resolver,
    host: &Host,
    port: u16,
) -> Result<(TcpStream, IpAddr), Verdict> {
    let denied = |why: String| Verdict::Denied { why };
    if !list.permits(host, port) {
        return Err(denied("it is not on the list".into()));
    }
    let addresses = match host {
        // It is listed as it is, so it is meant, whatever it is.
        Host::Address(address) => vec![*address],
        Host::Name(name) => {
            let found = named(resolver, name).await?;
            let usable = |address: &IpAddr| list.permits(&Host::Address(*address), port);
            let (good, bad): (Vec<_>, Vec<_>) =
                found.into_iter().partition(|a| usable(a) || address::refused(*a).is_none());
            if let (true, Some(bad)) = (good.is_empty(), bad.first()) {
                let kind = address::refused(*bad).unwrap_or_default();
                return Err(denied(format!("its address {bad} is {kind}, and that address itself is not on the list")));
            }
            good
        }
    };
    let mut last = "it has no address".to_owned();
    for address in addresses.into_iter().take(TRIES) {
        match timeout(CONNECT, TcpStream::connect(SocketAddr::new(address, port))).await {
            Ok(Ok(stream)) => return Ok((stream, address)),
            Ok(Err(error)) => last = format!("{address}: {error}"),
            Err(_) => last = format!("{address}: no answer within {} s", CONNECT.as_secs()),
        }
    }
    Err(Verdict::Failed { why: last })
}

/// The addresses of a name as they will be dialled.
async fn named(resolver: &dyn Resolver, name: &str) -> Result<Vec<IpAddr>, Verdict> {
    let failed = |why: String| Verdict::Failed { why };
    match timeout(RESOLVE, resolver.resolve(name)).await {
        Ok(Ok(found)) => Ok(found.into_iter().map(address::canonical).collect()),
        Ok(Err(error)) => Err(failed(format!("it was not resolved: {error}"))),
        Err(_) => Err(failed(format!("it was not resolved within {} s", RESOLVE.as_secs()))),
    }
}
