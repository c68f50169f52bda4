//! A message as one line of JSON, by the proto's field names; and read from one.
//!
//! Invariant: every field that is not one of several is there, also where it has its default: scripts need no defaults of their
//! own. Numbers are numbers, enums their names.

use std::sync::LazyLock;

use anyhow::Context as _;
use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor, SerializeOptions};

use crate::proto::DESCRIPTORS;

/// Read once: a stream is printed in many lines.
static POOL: LazyLock<Option<DescriptorPool>> =
    LazyLock::new(|| DescriptorPool::decode(DESCRIPTORS).ok());

/// The message as JSON, with a line's end. `name` is the message's in the package.
pub(super) fn line(name: &str, message: &impl Message) -> anyhow::Result<String> {
    let descriptor = descriptor(name)?;
    let message = DynamicMessage::decode(descriptor, message.encode_to_vec().as_slice())?;
    let options = SerializeOptions::new()
        .use_proto_field_name(true)
        .stringify_64_bit_integers(false)
        .skip_default_fields(false);
    let mut line = Vec::new();
    let mut serializer = serde_json::Serializer::new(&mut line);
    message.serialize_with_options(&mut serializer, &options)?;
    line.push(b'\n');
    Ok(String::from_utf8(line)?)
}

/// The message that a line is. A field that the message does not have is a fault.
pub(super) fn read<M: Message + Default>(name: &str, line: &[u8]) -> anyhow::Result<M> {
    let mut source = serde_json::Deserializer::from_slice(line);
    let message = DynamicMessage::deserialize(descriptor(name)?, &mut source)?;
    source.end()?;
    Ok(M::decode(message.encode_to_vec().as_slice())?)
}

fn descriptor(name: &str) -> anyhow::Result<MessageDescriptor> {
    let pool = POOL.as_ref().context("the built-in proto files")?;
    let descriptor = pool.get_message_by_name(&format!("quotagate.v1.{name}"));
    descriptor.with_context(|| format!("no message {name}"))
}
