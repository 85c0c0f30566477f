//! How a user gets in: a password in clear, MD5, or SCRAM with the binding to the TLS channel.

use super::address::{Address, Binding, Host};
use super::binding;
use super::error::{self, ServerError};
use super::session::Session;
use crate::load::{LoadError, LoadErrorKind};
use fallible_iterator::FallibleIterator;
use postgres_protocol::authentication::md5_hash;
use postgres_protocol::authentication::sasl::{
    ChannelBinding, SCRAM_SHA_256, SCRAM_SHA_256_PLUS, ScramSha256,
};
use postgres_protocol::message::backend::{AuthenticationSaslBody, Message};
use postgres_protocol::message::frontend;
use std::io;

impl Session {
    /// Answers what the server asks of the user until it is ready.
    pub(super) fn enter(&mut self, address: &Address, host: &Host) -> Result<(), LoadError> {
        let mut is_bound = false;
        loop {
            match self.wire.receive()? {
                Message::AuthenticationOk if address.binding == Binding::Require && !is_bound => {
                    return Err(unbound(address, "the server lets the user in without it"));
                }
                Message::AuthenticationOk => {}
                Message::AuthenticationCleartextPassword => {
                    self.say(|out| {
                        frontend::password_message(password(address, host)?.as_bytes(), out)
                            .map_err(|e| error::lost(&e))
                    })?;
                }
                Message::AuthenticationMd5Password(body) => {
                    let user = address.user.as_bytes();
                    let hash = md5_hash(user, password(address, host)?.as_bytes(), body.salt());
                    self.say(|out| {
                        frontend::password_message(hash.as_bytes(), out)
                            .map_err(|e| error::lost(&e))
                    })?;
                }
                Message::AuthenticationSasl(body) => is_bound = self.scram(&body, address, host)?,
                Message::BackendKeyData(body) => self.pid = body.process_id(),
                Message::ReadyForQuery(_) => return Ok(()),
                Message::ErrorResponse(body) => {
                    return Err(error::denied(address, ServerError::read(&body)));
                }
                _ => return Err(error::unexpected("it asks for another way to log in")),
            }
        }
    }

    /// Proves by SCRAM that the user has the password, and that the server knows it. Whether the proof holds
    /// for this TLS channel alone.
    fn scram(
        &mut self,
        body: &AuthenticationSaslBody,
        address: &Address,
        host: &Host,
    ) -> Result<bool, LoadError> {
        let offers =
            |wanted: &str| body.mechanisms().any(|name| Ok(name == wanted)).unwrap_or(false);
        if !offers(SCRAM_SHA_256) && !offers(SCRAM_SHA_256_PLUS) {
            return Err(error::unexpected("it knows no SCRAM-SHA-256"));
        }
        let (channel, is_bound) = self.channel(address, offers(SCRAM_SHA_256_PLUS))?;
        let mechanism = if is_bound { SCRAM_SHA_256_PLUS } else { SCRAM_SHA_256 };
        let wrong = |_: io::Error| {
            LoadError::new(
                LoadErrorKind::Denied,
                format!("{address}: the server failed to prove itself"),
            )
        };
        let secret = password(address, host)?.as_bytes();
        let mut scram = ScramSha256::new(secret, channel);
        self.say(|out| {
            frontend::sasl_initial_response(mechanism, scram.message(), out).map_err(wrong)
        })?;
        match self.wire.receive()? {
            Message::AuthenticationSaslContinue(body) => {
                scram.update(body.data()).map_err(wrong)?
            }
            Message::ErrorResponse(body) => {
                return Err(error::denied(address, ServerError::read(&body)));
            }
            _ => return Err(error::unexpected("SCRAM was not gone on with")),
        }
        self.say(|out| frontend::sasl_response(scram.message(), out).map_err(wrong))?;
        match self.wire.receive()? {
            Message::AuthenticationSaslFinal(body) => {
                scram.finish(body.data()).map(|()| is_bound).map_err(wrong)
            }
            Message::ErrorResponse(body) => Err(error::denied(address, ServerError::read(&body))),
            _ => Err(error::unexpected("SCRAM was not ended")),
        }
    }

    /// What the proof says of the channel, and whether it is bound to it.
    fn channel(
        &self,
        address: &Address,
        offered: bool,
    ) -> Result<(ChannelBinding, bool), LoadError> {
        let is_required = address.binding == Binding::Require;
        let certificate = self.wire.certificate();
        let bound = certificate.and_then(binding::of_certificate);
        match (address.binding, bound) {
            (Binding::Disable, _) => Ok((ChannelBinding::unsupported(), false)),
            (_, Some(bound)) if offered => Ok((ChannelBinding::tls_server_end_point(bound), true)),
            (_, Some(_)) if is_required => Err(unbound(address, "the server does not offer it")),
            (_, None) if is_required => {
                let why = match self.wire.is_encrypted() {
                    true => "for the certificate of the server there is none",
                    false => "the connection is not encrypted; sslmode=require asks for it",
                };
                Err(unbound(address, why))
            }
            // The server then notices where somebody in between has taken its offer away.
            (Binding::Prefer | Binding::Require, Some(_)) => {
                Ok((ChannelBinding::unrequested(), false))
            }
            (Binding::Prefer | Binding::Require, None) => {
                Ok((ChannelBinding::unsupported(), false))
            }
        }
    }
}

fn unbound(address: &Address, why: &str) -> LoadError {
    let message = format!("{address}: channel_binding=require cannot be met: {why}");
    LoadError::new(LoadErrorKind::Denied, message)
        .with_hint("sslmode=verify-full proves in another way who the server is")
}

fn password<'a>(address: &'a Address, host: &'a Host) -> Result<&'a str, LoadError> {
    let known = address.password.as_ref().or(host.password.as_ref());
    known.map(super::secret::Password::reveal).ok_or_else(|| {
        LoadError::new(LoadErrorKind::Denied, format!("{address}: the server asks for a password"))
            .with_hint(
                "set PGPASSWORD, write it into .pgpass (readable by you alone), or into the URL",
            )
    })
}
