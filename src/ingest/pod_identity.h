/* ingest/pod_identity: whose log a file is: what its path says, and what somebody who knows the pods says of them (the Kubernetes client, when there
 * is one). Pure but for the lookup, which is made on the loop thread; borrows from the path and the arena. Source: the kubelet's paths; the names of
 * Fluent Bit's Kubernetes filter and its pod annotations. */
#pragma once
#include "base/value.h"

struct pod_ref {
    str namespace_name, pod_name, container_name;
    str pod_id;    /* "": the path does not say */
    str docker_id; /* likewise: the container's id, 64 hex digits */
};
/* /var/log/pods/<namespace>_<pod>_<uid>/<container>/<restart>.log or /var/log/containers/<pod>_<namespace>_<container>-<id>.log */
bool pod_ref_from_path(str path, struct pod_ref *out);

struct pod_info {
    const struct field *labels, *annotations; /* text values */
    size_t label_n, annotation_n;
    str node, pod_ip, image, owner_kind, owner_name; /* "": not known */
};
/* lookup: false: never heard of that pod (yet). */
struct pod_source {
    bool (*lookup)(void *arg, const struct pod_ref *pod, struct arena *a, struct pod_info *out);
    void *arg;
};

enum { POD_ATTRS_MAX = 16 };
/* Fields kubernetes.namespace_name, .pod_name, .container_name, .pod_id, .docker_id, .labels, .annotations, .host, .pod_ip, .container_image,
 * .owner_kind, .owner_name. info may be NULL. Returns their number. */
size_t pod_attrs(const struct pod_ref *pod, const struct pod_info *info, struct field out[static POD_ATTRS_MAX]);
/* The service: the label app.kubernetes.io/name or app, else the container. */
str pod_service(const struct pod_ref *pod, const struct pod_info *info);

/* What the pod asks for by annotations, per stream:
 *   fluentbit.io/exclude[_stdout|_stderr][-CONTAINER]: "true"     its lines are not kept
 *   fluentbit.io/parser[_stdout|_stderr][-CONTAINER]: NAME        java, python, go, ruby: only these traces are joined; none: no lines are; any other
 * name changes nothing: JSON, CRI and docker lines are known by their form and the same with binnacle.io/. The one with the most parts wins. */
struct pod_wishes {
    bool exclude;
    unsigned multiline; /* enum multiline_rules */
};
struct pod_wishes pod_wishes(const struct pod_info *info, str container, str stream);
