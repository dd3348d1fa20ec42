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
#include <malloc.h>
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
static const int router_backlog = 4096;
static const int look_ms = 100; // between two looks at something that has no event
static const int ipc_tail_ms = 250; // see finish_sender

typedef struct {
    const char *operation, *endpoint;
    size_t size;
    long count, subscribers, each;
    int high_water, io_threads;
    int send_buffer, recv_buffer; // 0: the system's default
    int64_t timeout_us;
} settings;

enum side { INPROC, BINDS, CONNECTS };

typedef struct {
    const char *name;
    enum side side;
    const char *standard; // endpoint where none need be given
    bool sized, fans, echoes;
    bool reports; // on standard output
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
    "  conns-echo  -bind EP -count K -each N;  conns-echo  -connect EP -count K -each N\n"
    "  subs  [-bind EP] -count N\n"
    "those with an endpoint: -send-buffer B, -recv-buffer B\n"
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
    if (s->send_buffer > 0)
        set_int(socket, ZMQ_SNDBUF, s->send_buffer);
    if (s->recv_buffer > 0)
        set_int(socket, ZMQ_RCVBUF, s->recv_buffer);
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

// begin_report prints the keys that all reports but that of conns-router begin with.
static void begin_report(const settings *s)
{
    printf("{\"op\":\"%s\",\"endpoint\":\"", s->operation);
    for (const char *c = s->endpoint; *c != 0; c++)
        printf(*c == '"' || *c == '\\' ? "\\%c" : "%c", *c);
    printf("\",");
}

static void begin_sized_report(const settings *s)
{
    begin_report(s);
    printf("\"size\":%zu,", s->size);
}

static double cpu_seconds(void)
{
    struct rusage usage;
    check(getrusage(RUSAGE_SELF, &usage) == 0, "getrusage");
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void end_report(void)
{
    printf(",\"cpu_s\":%.6f}\n", cpu_seconds());
}

// print_cpu is for the side that has no report.
static void print_cpu(void)
{
    fprintf(stderr, "{\"cpu_s\":%.6f}\n", cpu_seconds());
}

static double per_second(double amount, double seconds)
{
    return seconds > 0 ? amount / seconds : 0;
}

// ---- thr ---------------------------------------------------------------

static void report_throughput(const settings *s, double seconds)
{
    double rate = per_second((double)(s->count - 1), seconds);
    begin_sized_report(s);
    printf("\"count\":%ld,\"seconds\":%.9f,\"msgs_per_s\":%.1f,"
           "\"mb_per_s\":%.3f,\"allocs_per_msg\":-1",
           s->count, seconds, rate, rate * (double)s->size / 1e6);
    end_report();
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
    begin_sized_report(s);
    printf("\"count\":%ld,\"oneway_us_mean\":%.3f,\"p50_us\":%.3f,"
           "\"p99_us\":%.3f,\"p999_us\":%.3f",
           s->count, length > 0 ? sum / (double)length / 2e3 : 0,
           percentile(samples, length, 500), percentile(samples, length, 990),
           percentile(samples, length, 999));
    static const int others[] = {10, 25, 75, 90, 95};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        printf(",\"p%d_us\":%.3f", others[i], percentile(samples, length, others[i] * 10));
    end_report();
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
static atomic_llong fan_begin_ns;  // when the first of them got it
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
        if (i++ == 0) {
            long long now = now_ns(), none = 0;
            atomic_compare_exchange_strong(&fan_begin_ns, &none, now);
            if (atomic_fetch_sub(&fan_waiting, 1) == 1)
                atomic_store(&fan_start_ns, now);
        }
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

static void report_fan(const settings *s, double seconds, double all_seconds, long received)
{
    double deliveries = received > s->subscribers ? (double)(received - s->subscribers) : 0;
    begin_sized_report(s);
    printf("\"subs\":%ld,\"count\":%ld,\"seconds\":%.9f,"
           "\"deliveries_per_s\":%.1f,\"lost\":%ld,\"all_seconds\":%.9f,\"all_per_s\":%.1f",
           s->subscribers, s->count, seconds, per_second(deliveries, seconds),
           s->count * s->subscribers - received, all_seconds,
           per_second(received > 1 ? (double)(received - 1) : 0, all_seconds));
    end_report();
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
    int64_t begin_ns = atomic_load(&fan_begin_ns);
    check(zmq_ctx_term(context) == 0, "zmq_ctx_term");
    report_fan(s, start_ns > 0 ? (double)(end_ns - start_ns) / 1e9 : 0,
               begin_ns > 0 ? (double)(end_ns - begin_ns) / 1e9 : 0, received);
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
    set_int(router, ZMQ_BACKLOG, router_backlog);
    int64_t before = resident_bytes();
    bind_endpoint(router, s);
    long taken = 0;
    while (taken < s->count && take_hello(router))
        taken++;
    pause_ms(1000);
    double per_peer = taken > 0 ? (double)(resident_bytes() - before) / (double)taken : 0;
    printf("{\"op\":\"%s\",\"count\":%ld,\"rss_bytes_per_conn\":%.1f,"
           "\"heap_bytes_per_conn\":-1,\"goroutines\":-1",
           s->operation, taken, per_peer);
    end_report();
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
    print_cpu();
    _exit(EXIT_SUCCESS); // nothing is queued: all went before the router left
}

// ---- conns-echo --------------------------------------------------------

enum { echo_size = 16, echo_greeters = 256 };

// A monitor of its own that hears of lost peers costs nothing as long as there
// are none.
static void *watch_gone(void *context, void *router)
{
    const char *name = "inproc://gone";
    check(zmq_socket_monitor(router, name, ZMQ_EVENT_DISCONNECTED) == 0, "zmq_socket_monitor");
    void *monitor = zmq_socket(context, ZMQ_PAIR);
    check(monitor != NULL, "zmq_socket");
    set_int(monitor, ZMQ_RCVHWM, 0); // the I/O threads never wait for us
    check(zmq_connect(monitor, name) == 0, "zmq_connect");
    return monitor;
}

// wait_gone takes one event: a frame that tells what, and one that tells where.
static void wait_gone(void *monitor)
{
    zmq_msg_t frame;
    check(zmq_msg_init(&frame) == 0, "zmq_msg_init");
    do
        check(zmq_msg_recv(&frame, monitor, 0) >= 0, "zmq_msg_recv");
    while (zmq_msg_more(&frame));
    zmq_msg_close(&frame);
}

// echo_one sends the identity back in front of the body.
static void echo_one(void *router, zmq_msg_t *frame)
{
    bool more;
    do {
        check(zmq_msg_recv(frame, router, 0) >= 0, "zmq_msg_recv");
        more = zmq_msg_more(frame);
        check(zmq_msg_send(frame, router, more ? ZMQ_SNDMORE : 0) >= 0, "zmq_msg_send");
    } while (more);
}

static void run_echo_router(const settings *s)
{
    zmq_msg_t frame;
    void *context = new_context(s, 3);
    void *router = new_socket(context, ZMQ_ROUTER, s);
    void *monitor = watch_gone(context, router);
    set_int(router, ZMQ_BACKLOG, router_backlog);
    bind_endpoint(router, s);
    check(zmq_msg_init(&frame) == 0, "zmq_msg_init");
    for (long i = 0; i < s->count * (s->each + 1); i++)
        echo_one(router, &frame);
    zmq_msg_close(&frame);
    for (long k = 0; k < s->count; k++)
        wait_gone(monitor);
    check(zmq_socket_monitor(router, NULL, 0) == 0, "zmq_socket_monitor");
    check(zmq_close(monitor) == 0, "zmq_close");
    finish(context, router);
}

static void echo_ask(void *dealer, long number, long round)
{
    int64_t question[echo_size / 8] = {number, round};
    zmq_msg_t message;
    check(zmq_msg_init_size(&message, echo_size) == 0, "zmq_msg_init_size");
    memcpy(zmq_msg_data(&message), question, echo_size);
    check(zmq_msg_send(&message, dealer, 0) >= 0, "zmq_msg_send");
}

static void echo_take(void *dealer, zmq_msg_t *message, long number, long round)
{
    int64_t question[echo_size / 8] = {number, round};
    take(dealer, message, echo_size);
    if (memcmp(zmq_msg_data(message), question, echo_size) != 0)
        fail("got something else back");
}

// echo_greet connects the dealers, not more of them at a time than a listener's
// backlog holds, and exchanges one echo each.
static void **echo_greet(void *context, const settings *s, zmq_msg_t *message)
{
    void **dealers = calloc((size_t)s->count, sizeof *dealers);
    check(dealers != NULL, "calloc");
    for (long first = 0; first < s->count; first += echo_greeters) {
        long end = first + echo_greeters < s->count ? first + echo_greeters : s->count;
        for (long k = first; k < end; k++) {
            dealers[k] = new_socket(context, ZMQ_DEALER, s);
            connect_endpoint(dealers[k], s);
            echo_ask(dealers[k], k, 0);
        }
        for (long k = first; k < end; k++)
            echo_take(dealers[k], message, k, 0);
    }
    return dealers;
}

// One thread goes round: it takes each dealer's reply and asks anew, while all
// others have a question under way. With zmq_poll over all it was slower, by a
// tenth with 9,000 dealers and by a fifth with 1,000.
static void run_echo_dealers(const settings *s)
{
    zmq_msg_t message;
    void *context = new_context(s, s->count);
    check(zmq_msg_init(&message) == 0, "zmq_msg_init");
    void **dealers = echo_greet(context, s, &message);
    int64_t start = now_ns();
    for (long k = 0; k < s->count; k++)
        echo_ask(dealers[k], k, 1);
    for (long round = 1; round <= s->each; round++)
        for (long k = 0; k < s->count; k++) {
            echo_take(dealers[k], &message, k, round);
            if (round < s->each)
                echo_ask(dealers[k], k, round + 1);
        }
    double seconds = (double)(now_ns() - start) / 1e9;
    begin_report(s);
    printf("\"count\":%ld,\"each\":%ld,\"seconds\":%.9f,\"echoes_per_s\":%.1f", s->count, s->each,
           seconds, per_second((double)s->count * (double)s->each, seconds));
    end_report();
    fflush(stdout);
    _exit(EXIT_SUCCESS); // faster than closing all, and nothing is under way
}

// ---- subs --------------------------------------------------------------

enum { topic_length = 11, topics_max = 100000000 };

// A topic is a number with a prefix, and a slash that keeps any from being the
// prefix of another. The zero byte does not count.
static const char first_topic[topic_length + 1] = "t/00000000/";

static void next_topic(char *topic)
{
    for (char *at = topic + topic_length - 2; *at != '/'; at--) {
        if (++*at <= '9')
            return;
        *at = '0';
    }
}

typedef struct {
    const settings *settings;
    void *xpub, *sub;
    int option; // ZMQ_SUBSCRIBE or ZMQ_UNSUBSCRIBE
} subscribing;

// In each step a thread works on either socket, and both count through the same
// topics.
static void *each_topic(void *argument)
{
    subscribing *self = argument;
    char topic[sizeof first_topic];
    memcpy(topic, first_topic, sizeof topic);
    for (long i = 0; i < self->settings->count; i++, next_topic(topic))
        check(zmq_setsockopt(self->sub, self->option, topic, topic_length) == 0, "zmq_setsockopt");
    return NULL;
}

static void take_notice(void *xpub, zmq_msg_t *message, char kind, const char *topic, size_t length)
{
    take(xpub, message, 1 + length);
    const char *notice = zmq_msg_data(message);
    if (*notice != kind || memcmp(notice + 1, topic, length) != 0)
        fail("got another notice than %d of %s", kind, topic);
}

static void take_notices(const subscribing *self, zmq_msg_t *message)
{
    char topic[sizeof first_topic], kind = self->option == ZMQ_SUBSCRIBE;
    memcpy(topic, first_topic, sizeof topic);
    for (long i = 0; i < self->settings->count; i++, next_topic(topic))
        take_notice(self->xpub, message, kind, topic, topic_length);
}

static void *publish_topics(void *argument)
{
    subscribing *self = argument;
    char topic[sizeof first_topic];
    zmq_msg_t message;
    memcpy(topic, first_topic, sizeof topic);
    for (long i = 0; i < self->settings->count; i++, next_topic(topic)) {
        check(zmq_msg_init_size(&message, topic_length) == 0, "zmq_msg_init_size");
        memcpy(zmq_msg_data(&message), topic, topic_length);
        check(zmq_msg_send(&message, self->xpub, 0) >= 0, "zmq_msg_send");
    }
    return NULL;
}

static void take_matches(const subscribing *self, zmq_msg_t *message)
{
    char topic[sizeof first_topic];
    memcpy(topic, first_topic, sizeof topic);
    for (long i = 0; i < self->settings->count; i++, next_topic(topic)) {
        take(self->sub, message, topic_length);
        if (memcmp(zmq_msg_data(message), topic, topic_length) != 0)
            fail("got another topic than %s", topic);
    }
}

// step_rate is how many topics go through a step in a second.
static double step_rate(subscribing *self, void *(*there)(void *),
                        void (*here)(const subscribing *, zmq_msg_t *))
{
    pthread_t thread;
    zmq_msg_t message;
    check(zmq_msg_init(&message) == 0, "zmq_msg_init");
    int64_t start = now_ns();
    errno = pthread_create(&thread, NULL, there, self);
    check(errno == 0, "pthread_create");
    here(self, &message);
    double seconds = (double)(now_ns() - start) / 1e9;
    pthread_join(thread, NULL);
    zmq_msg_close(&message);
    return per_second((double)self->settings->count, seconds);
}

// join_subscriber returns when a subscription has come and gone.
static void join_subscriber(subscribing *self, void *context)
{
    static const char ready[] = "ready"; // no topic of those counted
    const int options[] = {ZMQ_SUBSCRIBE, ZMQ_UNSUBSCRIBE};
    char bound[512];
    size_t length = sizeof bound;
    zmq_msg_t message;
    self->xpub = new_socket(context, ZMQ_XPUB, self->settings);
    self->sub = new_socket(context, ZMQ_SUB, self->settings);
    set_int(self->xpub, ZMQ_LINGER, 0);
    set_int(self->sub, ZMQ_LINGER, 0);
    bind_endpoint(self->xpub, self->settings);
    check(zmq_getsockopt(self->xpub, ZMQ_LAST_ENDPOINT, bound, &length) == 0, "last endpoint");
    check(zmq_connect(self->sub, bound) == 0, "zmq_connect");
    check(zmq_msg_init(&message) == 0, "zmq_msg_init");
    for (int i = 0; i < 2; i++) {
        check(zmq_setsockopt(self->sub, options[i], ready, strlen(ready)) == 0, "zmq_setsockopt");
        take_notice(self->xpub, &message, options[i] == ZMQ_SUBSCRIBE, ready, strlen(ready));
    }
    zmq_msg_close(&message);
}

static int64_t settled_bytes(void)
{
    malloc_trim(0);
    return resident_bytes();
}

static void run_subs(const settings *s)
{
    subscribing self = {.settings = s, .option = ZMQ_SUBSCRIBE};
    void *context = new_context(s, 2);
    join_subscriber(&self, context);
    int64_t before = settled_bytes();
    double subscribes = step_rate(&self, each_topic, take_notices);
    int64_t after = settled_bytes();
    double matches = step_rate(&self, publish_topics, take_matches);
    self.option = ZMQ_UNSUBSCRIBE;
    double unsubscribes = step_rate(&self, each_topic, take_notices);
    check(zmq_close(self.sub) == 0, "zmq_close");
    finish(context, self.xpub);
    begin_report(s);
    printf("\"count\":%ld,\"subscribe_per_s\":%.1f,\"match_per_s\":%.1f,"
           "\"unsubscribe_per_s\":%.1f,\"rss_bytes_per_sub\":%.1f",
           s->count, subscribes, matches, unsubscribes, (double)(after - before) / (double)s->count);
    end_report();
}

// ---- flags -------------------------------------------------------------

static const operation operations[] = {
    {"thr-pull", BINDS, "", .sized = true, .reports = true, .high_water = 1000, .run = run_thr_pull},
    {"thr-push", CONNECTS, "", .sized = true, .high_water = 1000, .run = run_thr_push},
    {"lat-rep", BINDS, "", .sized = true, .high_water = 1000, .run = run_lat_rep},
    {"lat-req", CONNECTS, "", .sized = true, .reports = true, .high_water = 1000, .run = run_lat_req},
    {"fan-pub", BINDS, "", .sized = true, .fans = true, .run = run_fan_pub},
    {"fan-sub", CONNECTS, "", .sized = true, .fans = true, .reports = true, .run = run_fan_sub},
    {"inproc-thr", INPROC, "inproc", .sized = true, .reports = true, .high_water = 1000, .run = run_inproc_thr},
    {"inproc-lat", INPROC, "inproc", .sized = true, .reports = true, .high_water = 1000, .run = run_inproc_lat},
    {"conns-router", BINDS, "", .reports = true, .high_water = 1000, .run = run_conns_router},
    {"conns-dealer", CONNECTS, "", .high_water = 1000, .run = run_conns_dealer},
    {"conns-echo", BINDS, "", .echoes = true, .high_water = 1000, .run = run_echo_router},
    {"conns-echo", CONNECTS, "", .echoes = true, .reports = true, .high_water = 1000, .run = run_echo_dealers},
    {"subs", BINDS, "inproc://subs", .reports = true, .run = run_subs},
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
        s->count = number(flag, value, 1, op->run == run_subs ? topics_max : 1000000000000);
    else if (op->echoes && strcmp(flag, "each") == 0)
        s->each = number(flag, value, 1, 1000000000);
    else if (op->side != INPROC && strcmp(flag, "send-buffer") == 0)
        s->send_buffer = (int)number(flag, value, 0, INT_MAX);
    else if (op->side != INPROC && strcmp(flag, "recv-buffer") == 0)
        s->recv_buffer = (int)number(flag, value, 0, INT_MAX);
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
    settings s = {.operation = op->name, .endpoint = op->standard,
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
                          : op->echoes && s.each == 0       ? "each"
                                                            : NULL;
    if (missing != NULL)
        bad_flags("%s needs -%s", op->name, missing);
    return s;
}

// choose returns, of the operations with this name, the one whose endpoint's
// flag is there, or else the first.
static const operation *choose(int argc, char **argv)
{
    const operation *chosen = NULL;
    for (size_t i = 0; i < sizeof operations / sizeof *operations; i++) {
        const operation *op = &operations[i];
        const char *wanted = op->side == BINDS ? "bind" : "connect";
        if (strcmp(argv[1], op->name) != 0)
            continue;
        if (chosen == NULL)
            chosen = op;
        for (int k = 2; k < argc; k++) {
            const char *start = argv[k] + strspn(argv[k], "-");
            if (start > argv[k] && strcspn(start, "=") == strlen(wanted) &&
                strncmp(start, wanted, strlen(wanted)) == 0)
                chosen = op;
        }
    }
    return chosen;
}

int main(int argc, char **argv)
{
    if (argc < 2)
        bad_flags("no operation");
    const operation *op = choose(argc, argv);
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
    if (!op->reports)
        print_cpu();
    return EXIT_SUCCESS;
}
