//! Which other files an ONNX file keeps its numbers in.

use engine::OnnxFile;
use std::collections::BTreeSet;
use tract_onnx::pb::tensor_proto::DataLocation;
use tract_onnx::pb::{
    AttributeProto, GraphProto, ModelProto, NodeProto, SparseTensorProto, TensorProto,
};
use tract_onnx::prelude::TractResult;
use tract_onnx::tract_core::internal::bail;

/// The files, sorted, relative to the network's own folder.
pub(super) fn files(proto: &ModelProto) -> TractResult<Vec<String>> {
    let mut places = BTreeSet::new();
    proto.graph.iter().for_each(|part| graph(part, &mut places));
    proto
        .functions
        .iter()
        .flat_map(|function| &function.node)
        .for_each(|part| node(part, &mut places));
    if let Some(outside) = places.iter().find(|place| !OnnxFile::may_name(place)) {
        bail!("its numbers are said to be in '{outside}', which is no path within its own folder");
    }
    Ok(places.into_iter().map(str::to_owned).collect())
}

// the decoder bounds how deep these go into one another

fn graph<'a>(part: &'a GraphProto, places: &mut BTreeSet<&'a str>) {
    part.initializer.iter().for_each(|part| tensor(part, places));
    part.sparse_initializer.iter().for_each(|part| sparse(part, places));
    part.node.iter().for_each(|part| node(part, places));
}

fn node<'a>(part: &'a NodeProto, places: &mut BTreeSet<&'a str>) {
    for AttributeProto { t, g, sparse_tensor, tensors, graphs, sparse_tensors, .. } in
        &part.attribute
    {
        t.iter().chain(tensors).for_each(|part| tensor(part, places));
        g.iter().chain(graphs).for_each(|part| graph(part, places));
        sparse_tensor.iter().chain(sparse_tensors).for_each(|part| sparse(part, places));
    }
}

fn sparse<'a>(part: &'a SparseTensorProto, places: &mut BTreeSet<&'a str>) {
    part.values.iter().chain(&part.indices).for_each(|part| tensor(part, places));
}

fn tensor<'a>(part: &'a TensorProto, places: &mut BTreeSet<&'a str>) {
    if part.data_location == Some(DataLocation::External as i32) {
        let place = part.external_data.iter().find(|entry| entry.key == "location");
        places.extend(place.map(|entry| entry.value.as_str()));
    }
}
