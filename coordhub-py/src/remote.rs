//! The hub on the other side of a network.

use std::{path::PathBuf, sync::Arc, time::Duration};

use bytes::Bytes;
use coordhub_server::{
    client::{CallOptions, Client, ClientError, Events, Gap, GapReason, Item, Key, Wanted},
    local::Answer,
    net::Drain,
};
use pyo3::{prelude::*, types::PyDict};
use serde_json::{Map, Value, json};
use tokio::{sync::watch, task::JoinHandle, time::timeout};

use crate::{
    face::{Asked, Backend, Batch, Begun, Face, Follow},
    refused,
    served::Service,
};

/// What is longer than any call takes. Times are added up, and must not overflow.
const TIMEOUT_MAX: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// A hub over the network. Use coordhub.connect, which has names and types for what it can do.
#[pyclass(frozen, extends = Face, module = "coordhub._coordhub")]
pub(crate) struct Remote {
    url: String,
}

struct There {
    client: Client,
    /// Begins when it is closed here.
    closed: Drain,
    /// How many streams have not heard yet where they begin: what is asked for later comes after that.
    beginning: watch::Sender<usize>,
    /// How long a call may wait for that.
    call_time: Duration,
}

/// One of those that have not heard yet; whatever ends it, it is counted no more.
struct Beginning(watch::Sender<usize>);

impl Beginning {
    fn one_of(beginning: &watch::Sender<usize>) -> Self {
        beginning.send_modify(|many| *many += 1);
        Self(beginning.clone())
    }
}

impl Drop for Beginning {
    fn drop(&mut self) {
        self.0.send_modify(|many| *many -= 1);
    }
}

impl There {
    fn options(asked: &Asked<'_>) -> CallOptions {
        let timeout = asked.timeout.and_then(|timeout| Duration::try_from_secs_f64(timeout).ok());
        CallOptions {
            key: asked.key.map_or(Key::Made, |key| Key::Given(key.to_owned())),
            timeout: timeout.map(|timeout| timeout.min(TIMEOUT_MAX)),
            entity: asked.caller.map(str::to_owned),
        }
    }
}

impl Backend for There {
    fn begin(&self, asked: &Asked<'_>) -> Begun {
        if self.is_closed() {
            return Begun::There(refused::closed());
        }
        let (client, closed, options) =
            (self.client.clone(), self.closed.clone(), Self::options(asked));
        let (method, path, args) =
            (asked.method.to_owned(), asked.path.to_owned(), asked.args.to_vec());
        let call_time = options.timeout.unwrap_or(self.call_time);
        let is_beginning = *self.beginning.borrow() > 0;
        let beginning = is_beginning.then(|| self.beginning.subscribe());
        Begun::Waiting(Box::pin(async move {
            let answered = async {
                if let Some(mut beginning) = beginning {
                    // An error means that nothing begins any more.
                    let begun = beginning.wait_for(|many| *many == 0);
                    // One that is late is waited for no longer than the call itself.
                    let _begun = timeout(call_time, begun).await.is_ok_and(|begun| begun.is_ok());
                }
                client.call_with(&method, &path, &args, options).await
            };
            tokio::select! {
                answered = answered => match answered {
                    Ok(answer) => Answer::new(200, answer.body.into()),
                    Err(why) => refusal(&why),
                },
                () = closed.wait() => refused::closed(),
            }
        }))
    }

    fn follow(&self, args: &[u8], caller: Option<&str>) -> Result<Box<dyn Follow>, Answer> {
        if self.is_closed() {
            return Err(refused::closed());
        }
        let mut wanted = Wanted::from_args(args).map_err(|why| refusal(&why))?;
        if let Some(caller) = caller {
            wanted = wanted.entity(caller);
        }
        let position = since(args);
        let begins = match position {
            Some(_) => None,
            None => Some(self.begin_now()),
        };
        Ok(Box::new(Following {
            events: self.client.events(wanted.clone()),
            client: self.client.clone(),
            wanted,
            begins,
            position: position.unwrap_or_default(),
            closed: self.closed.clone(),
        }))
    }

    fn is_closed(&self) -> bool {
        self.closed.is_draining()
    }

    fn begin_close(&self) -> Vec<Arc<Service>> {
        Vec::new()
    }

    fn close(&self) {
        self.closed.begin();
    }
}

impl There {
    /// Asks where the log ends now. Needs the runtime's context.
    fn begin_now(&self) -> JoinHandle<Option<String>> {
        let (client, beginning) = (self.client.clone(), Beginning::one_of(&self.beginning));
        tokio::spawn(async move {
            let asked = client.call("GET", "/state", b"{}").await;
            drop(beginning);
            let state: Value = asked.ok()?.json().ok()?;
            let (epoch, head) = (state.get("epoch")?.as_str()?, state.get("head_seq")?.as_u64()?);
            Some(format!("{epoch}:{head}"))
        })
    }
}

/// The position that is asked for.
fn since(args: &[u8]) -> Option<String> {
    let args: Map<String, Value> = serde_json::from_slice(args).ok()?;
    match args.get("since")? {
        Value::String(text) => Some(text.clone()),
        Value::Number(seq) => Some(seq.to_string()),
        _ => None,
    }
}

struct Following {
    events: Events,
    client: Client,
    wanted: Wanted,
    begins: Option<JoinHandle<Option<String>>>,
    position: String,
    closed: Drain,
}

impl Following {
    async fn next(&mut self) -> Answer {
        if let Some(begins) = &mut self.begins {
            // Where the hub was not there to ask, it begins when it is.
            if let Ok(Some(position)) = begins.await {
                self.wanted = self.wanted.clone().after(position);
                self.events = self.client.events(self.wanted.clone());
            }
            self.begins = None;
        }
        match self.events.batch().await {
            Ok(items) => {
                self.position = self.events.position().unwrap_or_default();
                Answer::new(200, array(&items))
            }
            Err(why) => refusal(&why),
        }
    }
}

impl Follow for Following {
    fn batch(mut self: Box<Self>) -> Batch {
        Box::pin(async move {
            let closed = self.closed.clone();
            let answer = tokio::select! {
                answer = self.next() => answer,
                () = closed.wait() => refused::closed(),
            };
            (self as Box<dyn Follow>, answer)
        })
    }

    fn position(&self) -> String {
        self.position.clone()
    }
}

fn array(items: &[Item]) -> Vec<u8> {
    let mut array = vec![b'['];
    for item in items {
        let text = match item {
            Item::Event(event) => event.json().clone(),
            Item::Gap(gap) => told(gap),
            _ => continue,
        };
        if array.len() > 1 {
            array.push(b',');
        }
        array.extend_from_slice(&text);
    }
    array.push(b']');
    array
}

fn told(gap: &Gap) -> Bytes {
    let reason = match &gap.reason {
        GapReason::OtherHistory => "other_history",
        GapReason::Pruned => "pruned",
        GapReason::Other(other) => other,
        _ => "unknown",
    };
    let Gap { oldest_seq, head_seq, .. } = gap;
    let told =
        json!({ "type": "gap", "reason": reason, "oldest_seq": oldest_seq, "head_seq": head_seq });
    told.to_string().into()
}

/// Why there is no answer, as the hub itself would say it.
fn refusal(why: &ClientError) -> Answer {
    let mut problem = Map::new();
    let (status, code, detail) = match why {
        ClientError::Problem(said) => {
            problem = said.fields();
            if let Some(after) = said.retry_after {
                problem.insert("retry_after".to_owned(), after.as_secs_f64().into());
            }
            // Something in between speaks in no code.
            let code = if said.code.is_empty() { "unreachable" } else { &said.code };
            (said.status, code, said.detail.clone())
        }
        ClientError::Misused(detail) => {
            problem.insert("field".to_owned(), "connection".into());
            (422, "invalid_field", detail.clone())
        }
        ClientError::TimedOut { .. } => (504, "timed_out", why.to_string()),
        _ => (502, "unreachable", why.to_string()),
    };
    if why.may_have_been_done() {
        problem.insert("outcome".to_owned(), "unknown".into());
    }
    problem.insert("status".to_owned(), status.into());
    problem.insert("code".to_owned(), code.into());
    problem.insert("detail".to_owned(), detail.into());
    Answer::new(status, Value::Object(problem).to_string().into_bytes())
}

#[pymethods]
impl Remote {
    /// A hub at an address such as http://localhost:8550. Options: token, token_file, ca_file, timeout in seconds, entity.
    /// Connects when there is something to ask.
    #[new]
    #[pyo3(signature = (url, options=None))]
    fn new(
        py: Python<'_>,
        url: String,
        options: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<PyClassInitializer<Self>> {
        // The timeout alone ends a call.
        let mut builder = Client::builder(url.as_str()).retries(u32::MAX);
        let mut call_time = None;
        if let Some(options) = options {
            for (name, value) in options {
                let name: String = name.extract()?;
                if value.is_none() {
                    continue;
                }
                builder = match name.as_str() {
                    "token" => builder.token(value.extract::<String>()?),
                    "token_file" => builder.token(read_token(&value.extract::<PathBuf>()?)?),
                    "entity" => builder.entity(value.extract::<String>()?),
                    "ca_file" => builder.ca_file(value.extract::<PathBuf>()?),
                    "timeout" => {
                        let timeout = Duration::try_from_secs_f64(value.extract()?);
                        let timeout =
                            timeout.map_err(|why| refused::invalid("timeout", &why.to_string()))?;
                        call_time = Some(timeout.min(TIMEOUT_MAX));
                        builder.timeout(timeout.min(TIMEOUT_MAX))
                    }
                    _ => return Err(refused::invalid(&name, "there is no such option")),
                };
            }
        }
        let built = py.detach(|| builder.build());
        let client = built.map_err(|why| refused::refused(py, &refusal(&why).body))?;
        let there = There {
            client,
            closed: Drain::new(),
            beginning: watch::Sender::new(0),
            call_time: call_time.unwrap_or(TIMEOUT_MAX),
        };
        let face = PyClassInitializer::from(Face::new(Arc::new(there)));
        Ok(face.add_subclass(Self { url }))
    }

    /// Where it is.
    #[getter]
    fn url(&self) -> &str {
        &self.url
    }
}

fn read_token(path: &std::path::Path) -> PyResult<String> {
    let read = std::fs::read_to_string(path);
    let text = read.map_err(|why| {
        refused::invalid("token_file", &format!("{} cannot be read: {why}", path.display()))
    })?;
    Ok(text.trim().to_owned())
}
