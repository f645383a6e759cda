/* DescribeCluster: this one broker. */
#include "broker/dispatch.h"
#include "broker/self.h"
#include "wire/describe_cluster_request.h"
#include "wire/describe_cluster_response.h"
#include "wire/error.h"

enum endpoint { ENDPOINT_BROKERS = 1, ENDPOINT_CONTROLLERS = 2 };

int handle_describe_cluster(struct request *r)
{
    const struct self self = self_of(r);
    struct describe_cluster_response_describe_cluster_broker broker;
    struct describe_cluster_request q;
    struct describe_cluster_response m;
    char cluster[UUID_TEXT];
    struct buf b = {0};
    int rc;

    if ((rc = describe_cluster_request_decode(&q, &r->body, r->version)) < 0)
        return rc;
    describe_cluster_response_init(&m);
    describe_cluster_response_describe_cluster_broker_init(&broker);
    if (q.endpoint_type == ENDPOINT_CONTROLLERS) {
        m.error_code = KAFKA_MISMATCHED_ENDPOINT_TYPE;
        m.error_message = slice_str("this is a broker's listener, not a controller's");
    } else if (q.endpoint_type != ENDPOINT_BROKERS) {
        m.error_code = KAFKA_UNSUPPORTED_ENDPOINT_TYPE;
        m.error_message = slice_str("the endpoint type is neither 1 (brokers) nor 2 (controllers)");
    } else {
        m.cluster_id = slice_str(uuid_format(r->broker->cluster_id, cluster));
        m.controller_id = broker.broker_id = r->broker->conf.node_id;
        broker.host = slice_str(self.host);
        broker.port = self.port;
        m.brokers.v = &broker;
        m.brokers.n = 1;
        if (q.include_cluster_authorized_operations)
            m.cluster_authorized_operations = authz_operations(r, RES_CLUSTER, slice_str(""));
    }
    r->failed = m.error_code != 0;
    request_reply_begin(r, &b);
    request_reply(r, &b, describe_cluster_response_encode(&m, &b, r->version));
    return 0;
}
