//! From a request to a socket.

use std::collections::BTreeSet;

use axum::{
    body::Body,
    extract::{FromRequestParts, ws::WebSocketUpgrade},
    http::{Response, StatusCode, header, request::Parts},
    response::IntoResponse,
};
use coordhub_core::{
    hub::policy,
    ids::EntityId,
    subscribe::{Channels, Filter, NOTICE_KINDS, Notices, Rest, Show, Start},
};

use super::{
    calls,
    session::Opening,
    socket::{self, Opened},
};
use crate::{
    access::{
        fair::{Asker, Kept},
        gate::Access,
    },
    app::App,
    http::{
        call::Call,
        events,
        handle::{call_of, keeps},
        request_id::RequestId,
        router::Route,
    },
    wire::Problem,
};

/// Tungstenite keeps a read buffer for each socket, and fills all of it with zeros whenever it reads;
/// most frames are small.
const READ_BUFFER_BYTES: usize = 512;
/// The subprotocol that is selected where a client offers it.
const SUBPROTOCOL: &str = "coordhub.v1";
/// Frames that wait are joined up to here before they are written.
const WRITE_BUFFER_BYTES: usize = 16 * 1_024;

/// Answers the request for a socket, and serves it from then on.
pub async fn upgrade(
    app: &App,
    route: &'static Route,
    parts: &mut Parts,
    access: &Access,
) -> Result<Response<Body>, Problem> {
    let opened = {
        let call = call_of(app, route, parts, &[], access)?;
        let entity = call.needed_caller()?;
        let request_id = parts.extensions.get().and_then(|RequestId(id)| id.to_str().ok());
        opened(&call, entity, request_id.unwrap_or_default().into())?
    };
    let upgrade = WebSocketUpgrade::from_request_parts(parts, &()).await.map_err(|_| {
        let detail = "this path is a WebSocket; connect with a WebSocket client";
        Problem::new(StatusCode::UPGRADE_REQUIRED, "upgrade_required", detail)
    });
    let upgrade = match upgrade {
        Ok(upgrade) => upgrade,
        Err(problem) => {
            let mut response = problem.into_response();
            let websocket = header::HeaderValue::from_static("websocket");
            response.headers_mut().insert(header::UPGRADE, websocket);
            return Ok(response);
        }
    };
    let most = app.config().frame_bytes_max;
    let app = app.clone();
    Ok(upgrade
        .protocols([SUBPROTOCOL])
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(WRITE_BUFFER_BYTES)
        .max_message_size(most)
        .max_frame_size(most)
        .on_upgrade(move |socket| socket::serve(app, socket, opened))
        .into_response())
}

/// What the request asks the stream to be.
fn opened(call: &Call<'_>, entity: EntityId, request_id: Box<str>) -> Result<Opened, Problem> {
    let hub = call.app.hub();
    let channels = events::channels(call)?;
    calls::check_channels(channels.as_ref().map_or(0, BTreeSet::len), "channels")?;
    let reader = hub.reader(Some(entity.clone())).in_role(call.access.role());
    for channel in channels.iter().flatten() {
        policy::check_subscribe(&reader, channel)?;
    }
    let start = events::since(call)?;
    // A replay must know its channels; a live stream can be told of them as it goes.
    let opening = match (&start, &channels) {
        (Some(_), None) => Opening::Waiting,
        _ => Opening::Begun,
    };
    let rest =
        if call.fields.flag("events")?.unwrap_or(false) { Rest::Shown } else { Rest::Hidden };
    let asker = Asker { entity: Some(&entity), address: call.sender.client.address };
    let seats = call.app.seats();
    let channels = channels.unwrap_or_default();
    let subscribed = channels
        .iter()
        .map(|channel| seats.take(asker, Kept::Subscription).map(|held| (channel.clone(), held)));
    let subscribed = subscribed.collect::<Result<_, _>>()?;
    let filter = Filter {
        reader: Some(entity.clone()),
        role: call.access.role(),
        channels: Channels::Named(channels),
        show: Show::Frames { notices: notices(call)?, rest },
    };
    let start = start.unwrap_or(Start::Live);
    let watches_presence = call.fields.flag("presence")?.unwrap_or(false);
    let access = call.access.clone();
    // Last, so that what is refused for another reason takes no place.
    let held = keeps(call, Kept::Socket)?;
    let client = call.sender.client;
    Ok(Opened {
        entity,
        access,
        client,
        request_id,
        subscribed,
        held,
        filter,
        start,
        opening,
        watches_presence,
    })
}

fn notices(call: &Call<'_>) -> Result<Notices, Problem> {
    let Some(words) = call.fields.comma_texts("notices")? else { return Ok(Notices::All) };
    match words.as_slice() {
        [word] if word == "all" => return Ok(Notices::All),
        [word] if word == "none" => return Ok(Notices::None),
        [word] if word == "mine" => return Ok(Notices::Mine),
        _ => {}
    }
    match words.iter().find(|word| !NOTICE_KINDS.contains(&word.as_str())) {
        Some(word) => {
            let detail = format!(
                "there are no notices {word:?}; notices is all, none, mine, or of {}",
                NOTICE_KINDS.join(", ")
            );
            Err(Problem::field("notices", detail))
        }
        None => Ok(Notices::Kinds(BTreeSet::from_iter(words))),
    }
}
