//! The bytes of a safetensors file: the tensors, and the text under one key of the metadata.

use super::checksum;
use super::stored_tensor::StoredTensor;
use safetensors::SafeTensors;
use safetensors::tensor::Metadata;
use std::collections::HashMap;
use std::sync::Arc;

/// A safetensors file that has been read.
pub(crate) struct Contents {
    bytes: Arc<Vec<u8>>,
    /// The byte at which the tensors start.
    start: usize,
    metadata: Metadata,
}

impl Contents {
    /// Reads the header. Every size that it states is checked against the number of bytes.
    pub(crate) fn read(bytes: Vec<u8>) -> Result<Self, String> {
        let (start, metadata) = read_header(&bytes)?;
        Ok(Contents { start, metadata, bytes: Arc::new(bytes) })
    }

    /// The text under a key of the metadata.
    pub(crate) fn text(&self, key: &str) -> Option<&str> {
        self.metadata.metadata().as_ref()?.get(key).map(String::as_str)
    }

    /// Whether the file has a checksum, and the right one.
    pub(crate) fn has_right_checksum(&self) -> bool {
        checksum::is_right(&self.bytes)
    }

    /// The tensors by name, which share the bytes of the file.
    pub(crate) fn tensors(&self) -> impl Iterator<Item = (String, StoredTensor)> {
        let tensor = |info| StoredTensor::of_file(&self.bytes, self.start, info);
        self.metadata.tensors().into_iter().map(move |(name, info)| (name, tensor(info)))
    }
}

/// The byte at which the tensors start, and the header.
fn read_header(bytes: &[u8]) -> Result<(usize, Metadata), String> {
    let (length, metadata) = SafeTensors::read_metadata(bytes).map_err(|error| error.to_string())?;
    Ok((size_of::<u64>() + length, metadata))
}

/// The bytes of a file with these tensors, and a text with the placeholder of a checksum.
pub(crate) fn write<'a>(
    tensors: impl Iterator<Item = (String, &'a StoredTensor)>,
    key: &str,
    text: String,
) -> Result<Vec<u8>, String> {
    let views = tensors.map(|(name, tensor)| Ok((name, tensor.view()?)));
    let views: Vec<_> =
        views.collect::<Result<_, safetensors::SafeTensorError>>().map_err(|error| error.to_string())?;
    let metadata = HashMap::from([(key.to_owned(), text)]);
    let mut bytes = safetensors::serialize(views, Some(metadata)).map_err(|error| error.to_string())?;
    // A tensor may have the name that safetensors needs for the metadata.
    read_header(&bytes)?;
    checksum::fill_in(&mut bytes);
    Ok(bytes)
}
