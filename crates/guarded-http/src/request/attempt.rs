use std::{mem, time::SystemTime};

use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use tokio::time::{Instant, sleep_until, timeout_at};
use url::Url;

use super::{Body, Request};
use crate::{
    Call, HttpError, Origin, Refusal, Upload, blank::Secrets, response::Opened, retry::retry_after, upload::Progress,
};

/// How many redirects are followed: a registry to its storage, and two that the storage may need.
const HOPS: u32 = 3;

impl Request<'_> {
    /// One attempt, up to the headers of an answer that the caller can use.
    pub(super) async fn open(&mut self) -> Result<Opened, HttpError> {
        if !self.fit {
            return Err(HttpError::Header { call: self.call.clone() });
        }
        let mut sent = self.authorization().await?;
        let mut answer = self.open_as(sent.as_ref()).await?;
        if self.is_renewed(sent.as_ref(), &answer).await? {
            if matches!(self.body, Body::Spent) {
                let refusal = Box::new(answer.read(0).await?.into_error());
                return Err(HttpError::Renewed { call: self.call.clone(), refusal });
            }
            answer.drain().await;
            sent = self.authorization().await?;
            answer = self.open_as(sent.as_ref()).await?;
        }
        let can_follow = matches!(self.body, Body::Empty) && matches!(self.method, Method::GET | Method::HEAD);
        if self.follows && can_follow && answer.redirects() { self.follow(answer, sent).await } else { answer.usable() }
    }

    /// The credentials for the request, where it may have them.
    async fn authorization(&mut self) -> Result<Option<HeaderValue>, HttpError> {
        if !Origin::of(&self.url).is_ok_and(|to| self.client.may_send_credentials(&to)) {
            return Ok(None);
        }
        let given = timeout_at(self.client.limits.deadline, self.client.authorize.authorization(&self.scope)).await;
        let given = given.map_err(|_| HttpError::Deadline { call: self.call.clone() })?;
        let given = given.map_err(|source| HttpError::Authorize { call: self.call.clone(), source })?;
        if let Some(authorization) = &given {
            self.secrets.add_authorization(authorization);
        }
        Ok(given)
    }

    /// Whether the answer refuses what was sent and something else can be sent now. That is asked once, however often
    /// the request is repeated.
    async fn is_renewed(&mut self, sent: Option<&HeaderValue>, answer: &Opened) -> Result<bool, HttpError> {
        let refused = matches!(answer.status(), StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN);
        if !refused || mem::replace(&mut self.asked, true) {
            return Ok(false);
        }
        let challenges = answer.headers().get_all(header::WWW_AUTHENTICATE).iter();
        let refusal = Refusal {
            scope: &self.scope,
            status: answer.status(),
            sent,
            challenges: challenges.filter_map(|value| value.to_str().ok()).collect(),
        };
        let renewed = timeout_at(self.client.limits.deadline, self.client.authorize.refused(&refusal)).await;
        let renewed = renewed.map_err(|_| HttpError::Deadline { call: self.call.clone() })?;
        renewed.map_err(|source| HttpError::Authorize { call: self.call.clone(), source })
    }

    async fn open_as(&mut self, authorization: Option<&HeaderValue>) -> Result<Opened, HttpError> {
        let mut headers = self.headers.clone();
        if let Some(authorization) = authorization {
            headers.insert(header::AUTHORIZATION, authorization.clone());
        }
        let body = match &self.body {
            Body::Bytes(bytes) => Body::Bytes(bytes.clone()),
            Body::Stream(_) => mem::replace(&mut self.body, Body::Spent),
            Body::Empty | Body::Spent => Body::Empty,
        };
        self.send_to(self.call.clone(), self.url.clone(), headers, body, self.secrets.clone()).await
    }

    /// The success at the end of the way on which `first` is the first step.
    async fn follow(&mut self, first: Opened, authorization: Option<HeaderValue>) -> Result<Opened, HttpError> {
        let call = self.call.clone();
        let redirected = |source| HttpError::Redirected { call: call.clone(), source: Box::new(source) };
        let mut url = first.target()?;
        first.drain().await;
        let mut headers = self.headers.clone();
        headers.extend(authorization.map(|authorization| (header::AUTHORIZATION, authorization)));
        let mut secrets = self.secrets.clone();
        let mut hops = 1;
        loop {
            let to = Origin::of(&url).map_err(|_| HttpError::Reference { origin: self.client.origin.clone() })?;
            if !self.client.may_send_credentials(&to) {
                headers = fit_for_strangers(&headers);
            }
            secrets.add_signed(&url);
            let call = Call::new(self.method.clone(), to, url.path());
            let answer = self.send_to(call, url.clone(), headers.clone(), Body::Empty, secrets.clone()).await;
            let answer = answer.map_err(redirected)?;
            if answer.redirects() && hops < HOPS {
                url = answer.target().map_err(redirected)?;
                answer.drain().await;
                hops += 1;
                continue;
            }
            let answer = answer.usable().map_err(redirected)?;
            if answer.status().is_success() {
                return Ok(answer);
            }
            return Err(redirected(answer.read(0).await?.into_error()));
        }
    }

    async fn send_to(
        &mut self,
        call: Call,
        url: Url,
        headers: HeaderMap,
        body: Body,
        secrets: Secrets,
    ) -> Result<Opened, HttpError> {
        let client = self.client;
        let limits = client.limits;
        let deadline = || HttpError::Deadline { call: call.clone() };
        // It ends with the answer's head: a body is perhaps read only as fast as another request of this client sends it.
        let place = if *call.origin() == client.origin {
            Some(timeout_at(limits.deadline, client.gate(&self.method).enter()).await.map_err(|_| deadline())?)
        } else {
            None
        };
        let progress = Progress::new(Instant::now() + limits.connect);
        let mut request = reqwest::Request::new(self.method.clone(), url);
        *request.headers_mut() = headers;
        let length = match &body {
            Body::Bytes(bytes) => Some(bytes.len() as u64),
            Body::Stream(upload) => Some(upload.length),
            Body::Empty | Body::Spent => matches!(self.method, Method::POST | Method::PUT | Method::PATCH).then_some(0),
        };
        if let Some(length) = length {
            request.headers_mut().insert(header::CONTENT_LENGTH, length.into());
        }
        *request.body_mut() = match body {
            Body::Bytes(bytes) if bytes.len() > Upload::SLICE => Some(Upload::of(bytes).into_body(&progress)),
            Body::Bytes(bytes) => Some(bytes.into()),
            Body::Stream(upload) => Some(upload.into_body(&progress)),
            Body::Empty | Body::Spent => None,
        };
        let connections = client.connections.of(request.url());
        let set_up =
            |source: reqwest::Error| HttpError::Setup { origin: call.origin().clone(), source: source.without_url() };
        let connections = connections.map_err(set_up)?;
        client.count();
        let result = tokio::select! {
            biased;
            result = connections.execute(request) => result,
            after = progress.stalled(limits.stall) => return Err(HttpError::Stalled { call, after }),
            () = sleep_until(limits.deadline) => return Err(deadline()),
        };
        if let Some(source) = progress.failure() {
            return Err(HttpError::Upload { call, source });
        }
        let response = result.map_err(|error| HttpError::of_transport(call.clone(), error))?;
        if let Some(place) = place {
            let left = limits.deadline.saturating_duration_since(Instant::now());
            let closed = retry_after(response.headers(), SystemTime::now()).filter(|closed| *closed < left);
            place.answered(response.status(), closed);
        }
        Ok(Opened::new(call, limits, secrets, response))
    }
}

/// The headers that say what is wanted and nothing about who wants it.
fn fit_for_strangers(headers: &HeaderMap) -> HeaderMap {
    let kept = [header::ACCEPT, header::ACCEPT_ENCODING, header::RANGE, header::IF_RANGE];
    kept.into_iter()
        .flat_map(|name| headers.get_all(&name).iter().map(move |value| (name.clone(), value.clone())))
        .collect()
}
