/*
 * dispatch - the one table of APIs, and the way of a frame to its handler.
 *
 * ApiVersions is answered from the same table, so nothing is advertised that is not served.
 */
#ifndef KCORE_BROKER_DISPATCH_H
#define KCORE_BROKER_DISPATCH_H

#include "broker/request.h"
#include "wire/api.h"

enum quota_class { QUOTA_NONE, QUOTA_PRODUCE, QUOTA_FETCH, QUOTA_REQUEST };

struct api_entry {
    int16_t key;
    int16_t listed_min; /* what ApiVersions says; below the protocol's min such versions close the
                           connection */
    bool before_auth;   /* allowed on a connection that has not authenticated */
    enum quota_class quota;
    /* 0: the request is owned by the handler; KE_CORRUPT, KE_NOMEM: the body could not be read (the
     * connection ends) */
    int (*handle)(struct request *r);
};

/* Ends with a NULL handle. */
extern const struct api_entry api_table[];
size_t api_count(void);
const struct api_entry *api_find(int16_t key);

/* A whole frame of a connection. */
void dispatch(struct connection *c, struct net_frame *f);

int handle_produce(struct request *r);
int handle_fetch(struct request *r);
int handle_list_offsets(struct request *r);
int handle_metadata(struct request *r);
int handle_api_versions(struct request *r);
int handle_create_topics(struct request *r);
int handle_delete_topics(struct request *r);
int handle_delete_records(struct request *r);
int handle_offset_for_leader_epoch(struct request *r);
int handle_describe_log_dirs(struct request *r);
int handle_create_partitions(struct request *r);
int handle_describe_cluster(struct request *r);
int handle_describe_topic_partitions(struct request *r);
int handle_describe_configs(struct request *r);
int handle_alter_configs(struct request *r);
int handle_incremental_alter_configs(struct request *r);
int handle_list_config_resources(struct request *r);
int handle_init_producer_id(struct request *r);
int handle_find_coordinator(struct request *r);

#endif
