// SPDX-License-Identifier: Apache-2.0
//
// The yardstick: what bench/perf does, on libzmq's C interface, with the same
// operations, flags, output and exit codes, so that either program can be
// measured against the other and talk to the other. It moves messages the way
// libzmq's own measuring tools do: zmq_msg_t in and out, one reused message on
// the receiving side.
//
// Build: gcc -std=c11 -O2 -Wall -Wextra -Werror -pthread -o perf perf.c -lzmq
//
// The path through this file, from its end up: main, the flags, one part per
// operation, the steps they share.

#define _XOPEN_SOURCE 700

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
#include <zmq.h>

enum { EXIT_FAILED = 1, EXIT_BAD_FLAGS = 2 };

static const int fan_silence_ms = 5000;
static const int conns_silence_ms = 20000;
static const int look_ms = 100; // between two looks at something that has no event
static const int ipc_tail_ms = 250; // see finish_sender

typedef struct {
    const char *operation, *endpoint;
    size_t size;
    long count, subscribers;
    int high_water, io_threads;
    int64_t timeout_us;
} settings;

enum side { INPROC, BINDS, CONNECTS };

typedef struct {
    const char *name;
    enum side side;
    bool sized, fans;
    int high_water;
    void (*run)(const settings *);
} operation;

// ---- ends --------------------------------------------------------------

static const char usage[] =
    "usage: perf OPERATION FLAGS\n"
    "  thr-pull, lat-rep  -bind EP -size B -count N;  fan-pub also -subs K\n"
    "  thr-push, lat-req  -connect EP -size B -count N;  fan-sub also -subs K\n"
    "  inproc-thr, inproc-lat  -size B -count N\n"
    "  conns-router  -bind EP -count K;  conns-dealer  -connect EP -count K\n"
    "all: -hwm H, -timeout D, -io N; -loops L and -recv into|iter mean nothing here\n";

static void stop(int status, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("perf: ", stderr);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fprintf(stderr, "\n%s", status == EXIT_BAD_FLAGS ? usage : "");
    exit(status);
}

#define fail(...) stop(EXIT_FAILED, __VA_ARGS__)
#define bad_flags(...) stop(EXIT_BAD_FLAGS, __VA_ARGS__)

static void check(bool good, const char *step)
{
    if (!good)
        fail("%s: %s", step, zmq_strerror(zmq_errno()));
}

static void on_timeout(int signal_number)
{
    (void)signal_number;
    ssize_t written = write(STDERR_FILENO, "perf: timeout\n", 14);
    (void)written;
    _exit(EXIT_FAILED);
}

// The alarm ends the process wherever it stands, a lingering close included.
static void start_timeout(int64_t timeout_us)
{
    struct sigaction action = {.sa_handler = on_timeout};
    struct itimerval timer = {.it_value = {.tv_sec = timeout_us / 1000000,
                                           .tv_usec = timeout_us % 1000000}};
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &timer, NULL);
}

// ---- small steps -------------------------------------------------------

static int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

#define pause_ms(milliseconds) zmq_poll(NULL, 0, milliseconds)

static void set_int(void *socket, int option, int value)
{
    check(zmq_setsockopt(socket, option, &value, sizeof value) == 0, "zmq_setsockopt");
}

static void *new_context(const settings *s, long sockets)
{
    void *context = zmq_ctx_new();
    check(context != NULL, "zmq_ctx_new");
    check(zmq_ctx_set(context, ZMQ_IO_THREADS, s->io_threads) == 0, "io threads");
    check(zmq_ctx_set(context, ZMQ_MAX_SOCKETS, (int)sockets + 16) == 0, "max sockets");
    return context;
}

static void *new_socket(void *context, int type, const settings *s)
{
    void *socket = zmq_socket(context, type);
    check(socket != NULL, "zmq_socket");
    set_int(socket, ZMQ_SNDHWM, s->high_water);
    set_int(socket, ZMQ_RCVHWM, s->high_water);
    set_int(socket, ZMQ_LINGER, -1);
    return socket;
}

static void bind_endpoint(void *socket, const settings *s)
{
    char bound[512];
    size_t length = sizeof bound;
    if (zmq_bind(socket, s->endpoint) != 0)
        fail("bind %s: %s", s->endpoint, zmq_strerror(zmq_errno()));
    check(zmq_getsockopt(socket, ZMQ_LAST_ENDPOINT, bound, &length) == 0, "last endpoint");
    fprintf(stderr, "bound %s\n", bound);
}

static void connect_endpoint(void *socket, const settings *s)
{
    if (zmq_connect(socket, s->endpoint) != 0)
        fail("connect %s: %s", s->endpoint, zmq_strerror(zmq_errno()));
}

static void finish(void *context, void *socket)
{
    check(zmq_close(socket) == 0, "zmq_close");
    check(zmq_ctx_term(context) == 0, "zmq_ctx_term");
}

// Over ipc a libzmq receiver that is at its high-water mark when the sender
// closes loses what is still in the kernel (4.3.4). The pause lies outside
// what the receiver measures.
static void finish_sender(void *context, void *socket, const settings *s)
{
    if (strncmp(s->endpoint, "ipc:", 4) == 0)
        pause_ms(ipc_tail_ms);
    finish(context, socket);
}

static void check_message(zmq_msg_t *message, size_t size)
{
    if (zmq_msg_size(message) != size || zmq_msg_more(message))
        fail("got a message of %zu bytes%s, want one frame of %zu", zmq_msg_size(message),
             zmq_msg_more(message) ? " and more frames" : "", size);
}

static void take(void *socket, zmq_msg_t *message, size_t size)
{
    check(zmq_msg_recv(message, socket, 0) >= 0, "zmq_msg_recv");
    check_message(message, size);
}

static void send_all(void *socket, const settings *s)
{
    zmq_msg_t message;
    for (long i = 0; i < s->count; i++) {
        check(zmq_msg_init_size(&message, s->size) == 0, "zmq_msg_init_size");
        check(zmq_msg_send(&message, socket, 0) >= 0, "zmq_msg_send");
    }
}

// begin_report prints the keys that all reports but that of conns begin with.
static void begin_report(const settings *s)
{
    printf("{\"op\":\"%s\",\"endpoint\":\"", s->operation);
    for (const char *c = s->endpoint; *c != 0; c++)
        printf(*c == '"' || *c == '\\' ? "\\%c" : "%c", *c);
    printf("\",\"size\":%zu,", s->size);
}

static double per_second(double amount, double seconds)
{
    return seconds > 0 ? amount / seconds : 0;
}

// ---- thr ---------------------------------------------------------------

static void report_throughput(const settings *s, double seconds)
{
    double rate = per_second((double)(s->count - 1), seconds);
    begin_report(s);
    printf("\"count\":%ld,\"seconds\":%.9f,\"msgs_per_s\":%.1f,"
           "\"mb_per_s\":%.3f,\"allocs_per_msg\":-1}\n",
           s->count, seconds, rate, rate * (double)s->size / 1e6);
}

// take_all returns the seconds from the first to the last message.
static double take_all(void *socket, const settings *s)
{
    zmq_msg_t message;
    check(zmq_msg_init(&message) == 0, "zmq_msg_init");
    take(socket, &message, s->size);
    int64_t first = now_ns();
    for (long i = 1; i < s->count; i++)
        take(socket, &message, s->size);
    int64_t last = now_ns();
    if (zmq_msg_recv(&message, socket, ZMQ_DONTWAIT) >= 0)
        fail("got more than %ld messages", s->count);
    zmq_msg_close(&message);
    return (double)(last - first) / 1e9;
}

static void run_thr_pull(const settings *s)
{
    void *context = new_context(s, 1);
    void *pull = new_socket(context, ZMQ_PULL, s);
    bind_endpoint(pull, s);
    double seconds = take_all(pull, s);
    finish(context, pull);
    report_throughput(s, seconds);
}

static void run_thr_push(const settings *s)
{
    void *context = new_context(s, 1);
    void *push = new_socket(context, ZMQ_PUSH, s);
    connect_endpoint(push, s);
    send_all(push, s);
    finish_sender(context, push, s);
}

// ---- lat ---------------------------------------------------------------

static int compare_samples(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

// percentile gives the nearest rank, as half a round trip in microseconds.
static double percentile(const int64_t *sorted, long length, long per_mille)
{
    if (length == 0)
        return 0;
    return (double)sorted[(length * per_mille + 999) / 1000 - 1] / 2e3;
}

static void report_latency(const settings *s, int64_t *samples)
{
    long length = s->count - 1;
    double sum = 0;
    for (long i = 0; i < length; i++)
        sum += (double)samples[i];
    qsort(samples, (size_t)length, sizeof *samples, compare_samples);
    begin_report(s);
    printf("\"count\":%ld,\"oneway_us_mean\":%.3f,\"p50_us\":%.3f,"
           "\"p99_us\":%.3f,\"p999_us\":%.3f",
           s->count, length > 0 ? sum / (double)length / 2e3 : 0,
           percentile(samples, length, 500), percentile(samples, length, 990),
           percentile(samples, length, 999));
    static const int others[] = {10, 25, 75, 90, 95};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        printf(",\"p%d_us\":%.3f", others[i], percentile(samples, length, others[i] * 10));
    printf("}\n");
}

static void answer_all(void *rep, const settings *s)
{
    zmq_msg_t message;
    check(zmq_msg_init(&message) == 0, "zmq_msg_init");
    for (long i = 0; i < s->count; i++) {
        take(rep, &message, s->size);
        check(zmq_msg_send(&message, rep, 0) >= 0, "zmq_msg_send");
    }
    zmq_msg_close(&message);
}

// ask_all returns the round trips in nanoseconds, without the first.
static int64_t *ask_all(void *req, const settings *s)
{
    int64_t *samples = calloc((size_t)s->count, sizeof *samples);
    check(samples != NULL, "calloc");
    zmq_msg_t message;
    check(zmq_msg_init_size(&message, s->size) == 0, "zmq_msg_init_size");
    memset(zmq_msg_data(&message), 'z', s->size);
    for (long i = 0; i < s->count; i++) {
        int64_t start = now_ns();
        check(zmq_msg_send(&message, req, 0) >= 0, "zmq_msg_send");
        take(req, &message, s->size);
        if (i > 0)
            samples[i - 1] = now_ns() - start;
    }
    zmq_msg_close(&message);
    return samples;
}

static void run_lat_rep(const settings *s)
{
    void *context = new_context(s, 1);
    void *rep = new_socket(context, ZMQ_REP, s);
    bind_endpoint(rep, s);
    answer_all(rep, s);
    finish_sender(context, rep, s);
}

static void run_lat_req(const settings *s)
{
    void *context = new_context(s, 1);
    void *req = new_socket(context, ZMQ_REQ, s);
    connect_endpoint(req, s);
    int64_t *samples = ask_all(req, s);
    finish(context, req);
    report_latency(s, samples);
    free(samples);
}

// ---- inproc ------------------------------------------------------------

static void *inproc_context, *inproc_socket; // the other thread's; set before it starts

static void *inproc_push(void *argument)
{
    send_all(inproc_socket, argument);
    check(zmq_close(inproc_socket) == 0, "zmq_close");
    return NULL;
}

static void *inproc_rep(void *argument)
{
    answer_all(inproc_socket, argument);
    check(zmq_close(inproc_socket) == 0, "zmq_close");
    return NULL;
}

static void *start_inproc(const settings *s, int here, int there, void *(*other_side)(void *))
{
    pthread_t thread;
    inproc_context = new_context(s, 2);
    inproc_socket = new_socket(inproc_context, there, s);
    void *socket = new_socket(inproc_context, here, s);
    check(zmq_bind(socket, "inproc://perf") == 0, "zmq_bind");
    check(zmq_connect(inproc_socket, "inproc://perf") == 0, "zmq_connect");
    errno = pthread_create(&thread, NULL, other_side, (void *)s);
    check(errno == 0, "pthread_create");
    pthread_detach(thread); // zmq_ctx_term waits for its socket
    return socket;
}

static void run_inproc_thr(const settings *s)
{
    void *pull = start_inproc(s, ZMQ_PULL, ZMQ_PUSH, inproc_push);
    double seconds = take_all(pull, s);
    finish(inproc_context, pull);
    report_throughput(s, seconds);
}

static void run_inproc_lat(const settings *s)
{
    void *req = start_inproc(s, ZMQ_REQ, ZMQ_REP, inproc_rep);
    int64_t *samples = ask_all(req, s);
    finish(inproc_context, req);
    report_latency(s, samples);
    free(samples);
}

// ---- fan ---------------------------------------------------------------

typedef struct {
    void *context;
    const settings *settings;
    pthread_t thread;
    int64_t last_ns;
    atomic_long received;
    char padding[128]; // no other thread writes on received's cache line
} subscriber;

static atomic_long fan_waiting;    // subscribers without a first message
static atomic_llong fan_start_ns;  // when the last of them got it
static atomic_bool fan_given_up;   // nothing came for fan_silence_ms

static void *subscriber_main(void *argument)
{
    subscriber *self = argument;
    const settings *s = self->settings;
    void *sub = new_socket(self->context, ZMQ_SUB, s);
    zmq_msg_t message;
    set_int(sub, ZMQ_RCVTIMEO, look_ms);
    set_int(sub, ZMQ_LINGER, 0); // else a subscription waits for a publisher that has gone
    check(zmq_setsockopt(sub, ZMQ_SUBSCRIBE, "", 0) == 0, "subscribe");
    connect_endpoint(sub, s);
    check(zmq_msg_init(&message) == 0, "zmq_msg_init");
    for (long i = 0; i < s->count && !atomic_load(&fan_given_up);) {
        if (zmq_msg_recv(&message, sub, 0) < 0) {
            check(zmq_errno() == EAGAIN, "zmq_msg_recv");
            continue;
        }
        check_message(&message, s->size);
        if (i++ == 0 && atomic_fetch_sub(&fan_waiting, 1) == 1)
            atomic_store(&fan_start_ns, now_ns());
        atomic_store_explicit(&self->received, i, memory_order_relaxed);
        if (i == s->count)
            self->last_ns = now_ns();
    }
    zmq_msg_close(&message);
    check(zmq_close(sub) == 0, "zmq_close");
    return NULL;
}

// watch_fan waits until everything is there, or something was and then nothing
// came for long enough. It returns when the last message was seen to come.
static int64_t watch_fan(const subscriber *subscribers, const settings *s)
{
    int64_t last_ns = now_ns();
    for (long received = 0, before = 0; received < s->count * s->subscribers; before = received) {
        pause_ms(look_ms);
        received = 0;
        for (long k = 0; k < s->subscribers; k++)
            received += atomic_load_explicit(&subscribers[k].received, memory_order_relaxed);
        if (received != before || received == 0) {
            last_ns = now_ns();
        } else if (now_ns() - last_ns > (int64_t)fan_silence_ms * 1000000) {
            atomic_store(&fan_given_up, true);
            break;
        }
    }
    return last_ns;
}

static void report_fan(const settings *s, double seconds, long received)
{
    double deliveries = received > s->subscribers ? (double)(received - s->subscribers) : 0;
    begin_report(s);
    printf("\"subs\":%ld,\"count\":%ld,\"seconds\":%.9f,"
           "\"deliveries_per_s\":%.1f,\"lost\":%ld}\n",
           s->subscribers, s->count, seconds, per_second(deliveries, seconds),
           s->count * s->subscribers - received);
}

static void run_fan_sub(const settings *s)
{
    void *context = new_context(s, s->subscribers);
    subscriber *subscribers = calloc((size_t)s->subscribers, sizeof *subscribers);
    check(subscribers != NULL, "calloc");
    atomic_store(&fan_waiting, s->subscribers);
    for (long k = 0; k < s->subscribers; k++) {
        subscribers[k].context = context;
        subscribers[k].settings = s;
        errno = pthread_create(&subscribers[k].thread, NULL, subscriber_main, &subscribers[k]);
        check(errno == 0, "pthread_create");
    }
    int64_t seen_ns = watch_fan(subscribers, s), last_ns = 0;
    long received = 0;
    for (long k = 0; k < s->subscribers; k++) {
        pthread_join(subscribers[k].thread, NULL);
        received += atomic_load(&subscribers[k].received);
        if (subscribers[k].last_ns > last_ns)
            last_ns = subscribers[k].last_ns;
    }
    long lost = s->count * s->subscribers - received;
    int64_t start_ns = atomic_load(&fan_start_ns), end_ns = lost == 0 ? last_ns : seen_ns;
    check(zmq_ctx_term(context) == 0, "zmq_ctx_term");
    report_fan(s, start_ns > 0 ? (double)(end_ns - start_ns) / 1e9 : 0, received);
    free(subscribers);
    if (lost != 0)
        fail("lost %ld messages", lost);
}

// An XPUB is a PUB that says who subscribes; verbose, it says so for each peer.
static void run_fan_pub(const settings *s)
{
    void *context = new_context(s, 1);
    void *pub = new_socket(context, ZMQ_XPUB, s);
    set_int(pub, ZMQ_XPUB_VERBOSE, 1);
    bind_endpoint(pub, s);
    for (long subscribed = 0; subscribed < s->subscribers;) {
        unsigned char subscription[2];
        int length = zmq_recv(pub, subscription, sizeof subscription, 0);
        check(length >= 0, "zmq_recv");
        if (length == 1)
            subscribed += subscription[0] == 1 ? 1 : -1;
    }
    send_all(pub, s);
    finish_sender(context, pub, s);
}

// ---- conns -------------------------------------------------------------

static int64_t resident_bytes(void)
{
    long long total, resident;
    FILE *statm = fopen("/proc/self/statm", "r");
    check(statm != NULL, "/proc/self/statm");
    if (fscanf(statm, "%lld %lld", &total, &resident) != 2)
        fail("/proc/self/statm has no second number");
    fclose(statm);
    return resident * sysconf(_SC_PAGESIZE);
}

static bool take_hello(void *router)
{
    zmq_msg_t message; // first the identity, then the text
    check(zmq_msg_init(&message) == 0, "zmq_msg_init");
    if (zmq_msg_recv(&message, router, 0) < 0) {
        check(zmq_errno() == EAGAIN, "zmq_msg_recv");
        return false;
    }
    take(router, &message, 2);
    zmq_msg_close(&message);
    return true;
}

static void run_conns_router(const settings *s)
{
    void *context = new_context(s, 1);
    void *router = new_socket(context, ZMQ_ROUTER, s);
    set_int(router, ZMQ_RCVTIMEO, conns_silence_ms);
    set_int(router, ZMQ_BACKLOG, 4096);
    int64_t before = resident_bytes();
    bind_endpoint(router, s);
    long taken = 0;
    while (taken < s->count && take_hello(router))
        taken++;
    pause_ms(1000);
    double per_peer = taken > 0 ? (double)(resident_bytes() - before) / (double)taken : 0;
    printf("{\"op\":\"%s\",\"count\":%ld,\"rss_bytes_per_conn\":%.1f,"
           "\"heap_bytes_per_conn\":-1,\"goroutines\":-1}\n",
           s->operation, taken, per_peer);
    fflush(stdout);
    if (taken < s->count)
        fprintf(stderr, "perf: %ld of %ld peers came\n", taken, s->count);
    _exit(taken < s->count ? EXIT_FAILED : EXIT_SUCCESS);
}

// With ZMQ_IMMEDIATE a DEALER can write only while its peer is there, which
// tells, without a monitor, when the router has gone.
static bool peer_is_there(void *dealer)
{
    int events;
    size_t length = sizeof events;
    check(zmq_getsockopt(dealer, ZMQ_EVENTS, &events, &length) == 0, "events");
    return events & ZMQ_POLLOUT;
}

static void run_conns_dealer(const settings *s)
{
    void *context = new_context(s, s->count);
    void **dealers = calloc((size_t)s->count, sizeof *dealers);
    check(dealers != NULL, "calloc");
    for (long k = 0; k < s->count; k++) {
        dealers[k] = new_socket(context, ZMQ_DEALER, s);
        set_int(dealers[k], ZMQ_IMMEDIATE, 1);
        connect_endpoint(dealers[k], s);
    }
    for (long k = 0; k < s->count; k++)
        check(zmq_send(dealers[k], "hi", 2, 0) == 2, "zmq_send");
    for (long k = 0; k < s->count; k++)
        while (peer_is_there(dealers[k]))
            pause_ms(look_ms);
    _exit(EXIT_SUCCESS); // nothing is queued: all went before the router left
}

// ---- flags -------------------------------------------------------------

static const operation operations[] = {
    {"thr-pull", BINDS, true, false, 1000, run_thr_pull},
    {"thr-push", CONNECTS, true, false, 1000, run_thr_push},
    {"lat-rep", BINDS, true, false, 1000, run_lat_rep},
    {"lat-req", CONNECTS, true, false, 1000, run_lat_req},
    {"fan-pub", BINDS, true, true, 0, run_fan_pub},
    {"fan-sub", CONNECTS, true, true, 0, run_fan_sub},
    {"inproc-thr", INPROC, true, false, 1000, run_inproc_thr},
    {"inproc-lat", INPROC, true, false, 1000, run_inproc_lat},
    {"conns-router", BINDS, false, false, 1000, run_conns_router},
    {"conns-dealer", CONNECTS, false, false, 1000, run_conns_dealer},
};

static long number(const char *flag, const char *text, long least, long most)
{
    char *end;
    errno = 0;
    long value = strtol(text, &end, 10);
    if (errno != 0 || end == text || *end != 0 || value < least || value > most)
        bad_flags("-%s: %s is not a number from %ld to %ld", flag, text, least, most);
    return value;
}

// duration reads what Go prints: 60s, 1m30s, 1.5s, 250ms.
static int64_t duration_us(const char *text)
{
    static const char *const units[] = {"ns", "us", "ms", "s", "m", "h"};
    static const double microseconds[] = {1e-3, 1, 1e3, 1e6, 60e6, 3600e6};
    double sum = 0;
    const char *rest = text;
    do {
        char *unit;
        double value = strtod(rest, &unit);
        size_t length = strspn(unit, "numsh"), i = 0;
        while (i < 6 && (strlen(units[i]) != length || strncmp(units[i], unit, length) != 0))
            i++;
        if (unit == rest || i == 6)
            bad_flags("-timeout: %s is not a duration such as 60s", text);
        sum += value * microseconds[i];
        rest = unit + length;
    } while (*rest != 0);
    if (!(sum >= 1 && sum < 1e15))
        bad_flags("-timeout: %s is out of range", text);
    return (int64_t)sum;
}

static void set_flag(settings *s, const operation *op, const char *flag, const char *value)
{
    if ((op->side == BINDS && strcmp(flag, "bind") == 0) ||
        (op->side == CONNECTS && strcmp(flag, "connect") == 0))
        s->endpoint = value;
    else if (op->sized && strcmp(flag, "size") == 0)
        s->size = (size_t)number(flag, value, 0, INT_MAX);
    else if (strcmp(flag, "count") == 0)
        s->count = number(flag, value, 1, 1000000000000);
    else if (op->fans && strcmp(flag, "subs") == 0)
        s->subscribers = number(flag, value, 1, 1000000);
    else if (strcmp(flag, "hwm") == 0)
        s->high_water = (int)number(flag, value, 0, INT_MAX);
    else if (strcmp(flag, "io") == 0)
        s->io_threads = (int)number(flag, value, 1, 64);
    else if (strcmp(flag, "timeout") == 0)
        s->timeout_us = duration_us(value);
    else if (strcmp(flag, "loops") == 0)
        number(flag, value, 0, INT_MAX);
    else if (strcmp(flag, "recv") != 0 || (strcmp(value, "into") && strcmp(value, "iter")))
        bad_flags("%s has no flag -%s %s", op->name, flag, value);
}

static settings parse_flags(int argc, char **argv, const operation *op)
{
    settings s = {.operation = op->name, .endpoint = op->side == INPROC ? "inproc" : "",
                  .size = SIZE_MAX, .high_water = op->high_water, .io_threads = 1,
                  .timeout_us = 60000000};
    for (int i = 2; i < argc; i++) {
        static char flag[32];
        const char *start = argv[i] + strspn(argv[i], "-");
        const char *equals = strchr(start, '=');
        size_t length = equals != NULL ? (size_t)(equals - start) : strlen(start);
        if (start == argv[i] || start - argv[i] > 2 || length == 0 || length >= sizeof flag)
            bad_flags("%s is no flag", argv[i]);
        memcpy(flag, start, length);
        flag[length] = 0;
        if (equals == NULL && i + 1 == argc)
            bad_flags("-%s needs a value", flag);
        set_flag(&s, op, flag, equals != NULL ? equals + 1 : argv[++i]);
    }
    const char *missing = *s.endpoint == 0                  ? "bind or -connect"
                          : op->sized && s.size == SIZE_MAX ? "size"
                          : s.count == 0                    ? "count"
                          : op->fans && s.subscribers == 0  ? "subs"
                                                            : NULL;
    if (missing != NULL)
        bad_flags("%s needs -%s", op->name, missing);
    return s;
}

int main(int argc, char **argv)
{
    if (argc < 2)
        bad_flags("no operation");
    const operation *op = NULL;
    for (size_t i = 0; i < sizeof operations / sizeof *operations; i++)
        if (strcmp(argv[1], operations[i].name) == 0)
            op = &operations[i];
    if (op == NULL)
        bad_flags("unknown operation %s", argv[1]);
    settings s = parse_flags(argc, argv, op);
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max; // conns and fan want a descriptor or two per socket
        setrlimit(RLIMIT_NOFILE, &files);
    }
    start_timeout(s.timeout_us);
    op->run(&s);
    return EXIT_SUCCESS;
}
