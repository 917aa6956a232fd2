//! DescribeConfigs: the settings of topics.

use super::Call;
use super::create_topics::{SOURCE_DEFAULT, SOURCE_TOPIC};
use crate::topic_config::Setting;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::describe_configs_response::{
    DescribeConfigsResourceResult, DescribeConfigsResult,
};
use kafka_protocol::messages::{DescribeConfigsRequest, DescribeConfigsResponse};
use kafka_protocol::protocol::StrBytes;

/// Resource types, in Kafka's numbers.
const TOPIC: i8 = 2;
const BROKER: i8 = 4;
/// Types of settings, in Kafka's numbers; older versions have none.
const TYPE_UNKNOWN: i8 = 0;
const TYPE_TEXT: i8 = 2;
const TYPE_LONG: i8 = 5;

pub(super) fn answer(call: &Call<'_>, request: DescribeConfigsRequest) -> DescribeConfigsResponse {
    let results = request.resources.iter().map(|resource| {
        let (error, configs) = describe(call, resource);
        DescribeConfigsResult::default()
            .with_error_code(error)
            .with_resource_type(resource.resource_type)
            .with_resource_name(resource.resource_name.clone())
            .with_configs(configs)
    });
    DescribeConfigsResponse::default().with_results(results.collect())
}

fn describe(
    call: &Call<'_>,
    resource: &DescribeConfigsResource,
) -> (i16, Vec<DescribeConfigsResourceResult>) {
    let config = match resource.resource_type {
        TOPIC => match call.node.topics.get(&resource.resource_name) {
            Some(topic) => topic.config.clone(),
            None => return (ResponseError::UnknownTopicOrPartition.code(), Vec::new()),
        },
        // the broker's settings are the defaults of its topics
        BROKER => Default::default(),
        _ => return (ResponseError::InvalidRequest.code(), Vec::new()),
    };
    let wanted = |setting: &Setting| {
        let keys = resource.configuration_keys.as_deref().unwrap_or_default();
        resource.configuration_keys.is_none() || keys.iter().any(|key| **key == *setting.name)
    };
    let settings = config.describe(&call.node.config).into_iter().filter(wanted);
    (0, settings.map(|setting| result(setting, call.version)).collect())
}

fn result(setting: Setting, version: i16) -> DescribeConfigsResourceResult {
    let kind = if setting.numeric { TYPE_LONG } else { TYPE_TEXT };
    DescribeConfigsResourceResult::default()
        .with_name(StrBytes::from_static_str(setting.name))
        .with_value(Some(StrBytes::from_string(setting.value)))
        .with_read_only(true)
        .with_config_source(if setting.overridden { SOURCE_TOPIC } else { SOURCE_DEFAULT })
        .with_config_type(if version >= 3 { kind } else { TYPE_UNKNOWN })
}
