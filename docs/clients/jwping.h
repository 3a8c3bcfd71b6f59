/* jwping.h: a player's end of the jwpingd socket, for players in C.  C99 and POSIX, no dependency.
 *
 * Include it where you need it.  In one file of your program, before any system header:
 *
 *     #define JWPING_IMPLEMENTATION
 *     #include "jwping.h"
 *
 *     static struct jwping jw;   // large: not on the stack
 *     jwping_open(&jw, NULL);
 *     jwping_hello(&jw, &(struct jwping_who){.app_id = "com.example.tv", .app_version = "2.4.1"});
 *     jwping_item(&jw, &(struct jwping_media){.mediaid = "9u6OHIO4", .title = "Elephants Dream"});
 *     jwping_time(&jw, 0.25, 653.8);   // some four times a second
 *     jwping_complete(&jw);
 *     jwping_close(&jw, 1000);
 *
 * No call fails, and none waits but jwping_close, for as long as it is told to: the socket never blocks,
 * and a call writes at most JWPING_MAX_LINES_A_CALL lines.  No call allocates.  While the daemon is away,
 * or does not read, events are kept with their moment ("at") in a bounded buffer; the oldest is dropped
 * first, and counted.  After a cut the play goes on under its key, and what the daemon may not have on
 * flash is said again; it tells by "at" what it has, so each event counts once.
 *
 * One struct jwping is one player, for one thread at a time.  Texts are UTF-8; NULL leaves a value out.
 * See docs/protocol.md, "Clients".
 */
#ifndef JWPING_H
#define JWPING_H

#if defined(JWPING_IMPLEMENTATION) && !defined(_POSIX_C_SOURCE)
#define _POSIX_C_SOURCE 200809L
#endif

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define JWPING_DEFAULT_PATH "/run/jwpingd/player.sock"

#ifndef JWPING_BUFFER_BYTES
#define JWPING_BUFFER_BYTES (128 * 1024) /* five minutes of four ticks a second */
#endif
#ifndef JWPING_MAX_LINES_A_CALL
#define JWPING_MAX_LINES_A_CALL 256 /* a longer backlog goes with the calls that follow */
#endif
#define JWPING_MAX_BODY_BYTES 4096 /* of one event; a longer one is refused */

/* Who plays, for whom.  Give all of it each time something of it changes. */
struct jwping_who {
    const char *app_id, *app_version;
    const char *app_configid; /* JW's id of the app's configuration: 8 letters or digits */
    const char *player_version;
    const char *user_id;   /* "": nobody is logged in.  At most one of the three. */
    const char *user_hash; /* 40 hex digits */
    const char *user_token;
    const char *advertising_id; /* the platform's; "": there is none any more */
    int is_tracking_limited;    /* 1: the advertising id is not used */
    const char *consent;        /* "full", "anonymous" or "none" */
};

/* What is played.  `play` is your own key of this play: give the same one to go on after your own restart. */
struct jwping_media {
    const char *mediaid; /* 8 letters or digits */
    const char *title, *feedid, *play;
    double duration; /* seconds; 0: not known yet */
    int is_live;     /* 1: live; -1: not, so it starts with the first tick that has a duration; 0: see there */
};

struct jwping {
    /* To read. */
    uint64_t n_events, n_dropped; /* dropped: did not fit, or grew too old */
    uint64_t n_refused;           /* were no events, by our word or the daemon's; last_error says why */
    uint64_t n_connections;
    char last_error[256];
    /* Ours. */
    int fd, is_playing, has_item, preamble;
    uint64_t acknowledged;
    int64_t last_at_ms, asked_ms, next_try_ms;
    size_t n_path, n_log, n_written, n_out, out_at, n_in, n_hello, n_item;
    char path[108], in[512], out[16 * 1024];
    char hello[JWPING_MAX_BODY_BYTES], item[JWPING_MAX_BODY_BYTES];
    char log[JWPING_BUFFER_BYTES];
};

void jwping_open(struct jwping *jw, const char *path); /* NULL: JWPING_DEFAULT_PATH */
void jwping_hello(struct jwping *jw, const struct jwping_who *who);
void jwping_item(struct jwping *jw, const struct jwping_media *media);
void jwping_time(struct jwping *jw, double position, double duration); /* duration 0 or NAN: live */
void jwping_seek(struct jwping *jw, double offset);                    /* NAN: not known */
void jwping_seeked(struct jwping *jw);
void jwping_pause(struct jwping *jw);
void jwping_play(struct jwping *jw);
void jwping_rate(struct jwping *jw, double rate);
void jwping_ad_impression(struct jwping *jw);
void jwping_complete(struct jwping *jw);
void jwping_remove(struct jwping *jw);
/* Go on with what is waiting.  Worth a call now and then while nothing happens. */
void jwping_pump(struct jwping *jw);
/* How many events the daemon has not acknowledged. */
uint64_t jwping_n_unacknowledged(const struct jwping *jw);
/* The player is closed: its play ends.  Waits up to `wait_ms` for the daemon to have all of it; 1 if it has. */
int jwping_close(struct jwping *jw, int wait_ms);

#ifdef __cplusplus
}
#endif
#endif /* JWPING_H */

#if defined(JWPING_IMPLEMENTATION) && !defined(JWPING_IMPLEMENTED)
#define JWPING_IMPLEMENTED

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#ifndef CLOCK_BOOTTIME
#define CLOCK_BOOTTIME 7 /* Linux */
#endif
#ifndef JWPING_NOW_MS
#define JWPING_NOW_MS() jwping__boottime_ms()
#endif

enum {
    JWPING__MAX_AT_AGE_MS = 590 * 1000, /* "at" is taken for 10 min; 10 s are left for the way */
    JWPING__KEPT_MS = 60 * 1000, /* the state of a play is put on flash every 30 s; until then a tick may be lost */
    JWPING__ACK_INTERVAL_MS = 5000, /* ticks ask for an ack no more often; every other event asks */
    JWPING__RETRY_MS = 500,
    JWPING__POLL_MS = 20,
    JWPING__FRAME_BYTES = 64 /* what a line has beside its body: "at", "id" and the end */
};

enum jwping__kind { JWPING__TICK, JWPING__HELLO, JWPING__ITEM, JWPING__END, JWPING__OTHER };

/* One event of the log.  Its body, which follows, is its JSON without the final brace. */
struct jwping__line {
    uint64_t number;
    int64_t at_ms;
    uint32_t n_bytes;
    uint16_t kind, asks;
};

/* --- text ---------------------------------------------------------------------------------- */

struct jwping__text {
    char bytes[JWPING_MAX_BODY_BYTES];
    size_t n;
    int is_too_long, is_wrong;
};

static void jwping__put(struct jwping__text *text, const char *bytes, size_t n) {
    if (n > sizeof text->bytes - text->n) {
        text->is_too_long = 1;
        return;
    }
    memcpy(text->bytes + text->n, bytes, n);
    text->n += n;
}

static void jwping__puts(struct jwping__text *text, const char *string) {
    jwping__put(text, string, strlen(string));
}

/* The length of the UTF-8 character at `c`, 0 if there is none. */
static size_t jwping__utf8(const unsigned char *c) {
    size_t n = c[0] < 0x80 ? 1 : c[0] < 0xC2 ? 0 : c[0] < 0xE0 ? 2 : c[0] < 0xF0 ? 3 : c[0] < 0xF5 ? 4 : 0;
    for (size_t idx = 1; idx < n; idx++)
        if ((c[idx] & 0xC0) != 0x80) return 0;
    if (n == 3 && ((c[0] == 0xE0 && c[1] < 0xA0) || (c[0] == 0xED && c[1] > 0x9F))) return 0;
    if (n == 4 && ((c[0] == 0xF0 && c[1] < 0x90) || (c[0] == 0xF4 && c[1] > 0x8F))) return 0;
    return n;
}

/* A JSON string.  What is no UTF-8 becomes U+FFFD: a wrong letter must not cost the play. */
static void jwping__put_string(struct jwping__text *text, const char *string) {
    const unsigned char *c = (const unsigned char *)string;
    jwping__puts(text, "\"");
    while (*c) {
        size_t n = jwping__utf8(c);
        char escaped[8];
        if (*c == '"' || *c == '\\' || *c < 0x20) {
            snprintf(escaped, sizeof escaped, "\\u%04x", *c);
            jwping__puts(text, escaped);
        } else if (n) {
            jwping__put(text, (const char *)c, n);
        } else {
            jwping__puts(text, "\xEF\xBF\xBD");
        }
        c += n ? n : 1;
    }
    jwping__puts(text, "\"");
}

/* `before`, which ends in a key, and its value; nothing where there is none. */
static void jwping__put_text(struct jwping__text *text, const char *before, const char *value) {
    if (!value) return;
    jwping__puts(text, before);
    jwping__put_string(text, value);
}

/* A number with three digits.  Not by printf's %f, which writes a comma in some locales. */
static void jwping__put_number(struct jwping__text *text, const char *before, double value) {
    char number[40];
    long long thousandths;
    if (!(value > -1e12 && value < 1e12)) { /* NAN too */
        text->is_wrong = 1;
        return;
    }
    thousandths = (long long)(value * 1000 + (value < 0 ? -0.5 : 0.5));
    snprintf(number, sizeof number, "%s%lld.%03lld", thousandths < 0 ? "-" : "",
             (thousandths < 0 ? -thousandths : thousandths) / 1000,
             (thousandths < 0 ? -thousandths : thousandths) % 1000);
    jwping__puts(text, before);
    jwping__puts(text, number);
}

/* --- time, keys, errors --------------------------------------------------------------------- */

static int64_t jwping__boottime_ms(void) {
    struct timespec now = {0, 0};
    clock_gettime(CLOCK_BOOTTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void jwping__refuse(struct jwping *jw, const char *what, const char *why) {
    jw->n_refused++;
    snprintf(jw->last_error, sizeof jw->last_error, "%.60s: %.180s", what, why);
}

/* A key that no other play has: 16 hex digits. */
static void jwping__new_key(const struct jwping *jw, char key[17]) {
    uint64_t bits = 0;
    int fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
    if (fd < 0 || read(fd, &bits, sizeof bits) != (ssize_t)sizeof bits)
        bits = ((uint64_t)JWPING_NOW_MS() << 24) ^ ((uint64_t)getpid() << 8) ^ jw->n_events;
    if (fd >= 0) close(fd);
    snprintf(key, 17, "%016llx", (unsigned long long)bits);
}

/* --- the log: what the daemon may not have on flash, oldest first ------------------------------ */

static struct jwping__line jwping__line_at(const struct jwping *jw, size_t at) {
    struct jwping__line line;
    memcpy(&line, jw->log + at, sizeof line);
    return line;
}

static size_t jwping__size(const struct jwping__line *line) { return sizeof *line + line->n_bytes; }

/* Take the oldest lines, `n` bytes, off the log; what later lines stand on is remembered. */
static void jwping__forget(struct jwping *jw, size_t n) {
    for (size_t at = 0; at < n;) {
        struct jwping__line line = jwping__line_at(jw, at);
        const char *body = jw->log + at + sizeof line;
        if (line.kind == JWPING__HELLO) memcpy(jw->hello, body, jw->n_hello = line.n_bytes);
        if (line.kind == JWPING__ITEM) memcpy(jw->item, body, jw->n_item = line.n_bytes);
        if (line.kind == JWPING__END) jw->n_item = 0;
        at += jwping__size(&line);
    }
    memmove(jw->log, jw->log + n, jw->n_log - n);
    jw->n_log -= n;
    jw->n_written = jw->n_written > n ? jw->n_written - n : 0;
}

static void jwping__drop_oldest(struct jwping *jw) {
    struct jwping__line oldest = jwping__line_at(jw, 0);
    if (oldest.number > jw->acknowledged) jw->n_dropped++;
    jwping__forget(jw, jwping__size(&oldest));
}

/* An event that happens now.  No two share an "at": by it the daemon knows what it has. */
static void jwping__add(struct jwping *jw, enum jwping__kind kind, const struct jwping__text *body) {
    struct jwping__line line;
    int64_t at_ms = JWPING_NOW_MS();
    if (body->is_too_long || body->is_wrong) {
        jwping__refuse(jw, body->is_wrong ? "not a number" : "too long", "an event was refused");
        return;
    }
    memset(&line, 0, sizeof line);
    line.at_ms = jw->last_at_ms = at_ms > jw->last_at_ms ? at_ms : jw->last_at_ms + 1;
    line.number = ++jw->n_events;
    line.kind = (uint16_t)kind;
    line.n_bytes = (uint32_t)body->n;
    line.asks = kind != JWPING__TICK || line.at_ms >= jw->asked_ms + JWPING__ACK_INTERVAL_MS;
    if (line.asks) jw->asked_ms = line.at_ms;
    if (kind == JWPING__ITEM || kind == JWPING__END) jw->is_playing = kind == JWPING__ITEM;
    while (jwping__size(&line) > sizeof jw->log - jw->n_log) jwping__drop_oldest(jw);
    memcpy(jw->log + jw->n_log, &line, sizeof line);
    memcpy(jw->log + jw->n_log + sizeof line, body->bytes, body->n);
    jw->n_log += jwping__size(&line);
}

/* Every ping of the events up to `number` is on flash; of a play that is over, that is all of it. */
static void jwping__acknowledge(struct jwping *jw, uint64_t number) {
    size_t n_over = 0;
    if (number > jw->n_events) number = jw->n_events;
    if (number > jw->acknowledged) jw->acknowledged = number;
    for (size_t at = 0; at < jw->n_written;) {
        struct jwping__line line = jwping__line_at(jw, at);
        if (line.number > jw->acknowledged) break;
        if (line.kind == JWPING__ITEM) n_over = at;
        at += jwping__size(&line);
        if (line.kind == JWPING__END) n_over = at;
    }
    jwping__forget(jw, n_over);
}

/* Forget what is safe, and drop what is too old to be believed. */
static void jwping__tidy(struct jwping *jw, int64_t now_ms) {
    size_t n_safe = 0;
    while (n_safe < jw->n_written) {
        struct jwping__line line = jwping__line_at(jw, n_safe);
        if (line.number > jw->acknowledged || line.at_ms >= now_ms - JWPING__KEPT_MS) break;
        n_safe += jwping__size(&line);
    }
    if (n_safe) jwping__forget(jw, n_safe);
    while (jw->n_log && jwping__line_at(jw, 0).at_ms < now_ms - JWPING__MAX_AT_AGE_MS) jwping__drop_oldest(jw);
}

/* --- the socket: it never waits, and an error of it is the end of the connection ---------------- */

static void jwping__cut(struct jwping *jw) {
    if (jw->fd >= 0) close(jw->fd);
    jw->fd = -1;
}

static int jwping__connect(struct jwping *jw, int64_t now_ms) {
    struct sockaddr_un address;
    if (now_ms < jw->next_try_ms) return 0;
    jw->next_try_ms = now_ms + JWPING__RETRY_MS;
    memset(&address, 0, sizeof address);
    address.sun_family = AF_UNIX;
    memcpy(address.sun_path, jw->path, jw->n_path);
    jw->fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (jw->fd < 0 || fcntl(jw->fd, F_SETFD, FD_CLOEXEC) < 0 || fcntl(jw->fd, F_SETFL, O_NONBLOCK) < 0 ||
        connect(jw->fd, (struct sockaddr *)&address, sizeof address) < 0) {
        /* At once, or not at all: EAGAIN when too many wait. */
        snprintf(jw->last_error, sizeof jw->last_error, "cannot connect to %s: error %d", jw->path, errno);
        jwping__cut(jw);
        return 0;
    }
    jw->n_connections++;
    /* Nobody knows what of the written lines has arrived: hello and item again, then all of the log. */
    jw->n_written = jw->n_out = jw->out_at = jw->n_in = 0;
    jw->preamble = 2;
    return 1;
}

/* Whether all that is on its way is written. */
static int jwping__flush(struct jwping *jw) {
    while (jw->fd >= 0 && jw->out_at < jw->n_out) {
        ssize_t n = send(jw->fd, jw->out + jw->out_at, jw->n_out - jw->out_at, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return 0;
        if (n <= 0)
            jwping__cut(jw);
        else
            jw->out_at += (size_t)n;
    }
    jw->n_out = jw->out_at = 0;
    return jw->fd >= 0;
}

/* Put one line on its way; 0 if it does not fit any more. */
static int jwping__write(struct jwping *jw, const char *body, size_t n, int64_t at_ms, uint64_t ask_id) {
    char tail[JWPING__FRAME_BYTES];
    int n_tail = snprintf(tail, sizeof tail, ",\"at\":%lld.%03lld", (long long)(at_ms / 1000), (long long)(at_ms % 1000));
    if (ask_id)
        n_tail += snprintf(tail + n_tail, sizeof tail - (size_t)n_tail, ",\"id\":%llu", (unsigned long long)ask_id);
    if (n + (size_t)n_tail + 2 > sizeof jw->out - jw->n_out) return 0;
    memcpy(jw->out + jw->n_out, body, n);
    memcpy(jw->out + jw->n_out + n, tail, (size_t)n_tail);
    jw->n_out += n + (size_t)n_tail;
    jw->out[jw->n_out++] = '}';
    jw->out[jw->n_out++] = '\n';
    return 1;
}

/* Put the next line on its way; 0 if there is none, or no room. */
static int jwping__write_next(struct jwping *jw, int64_t now_ms) {
    struct jwping__line line;
    int64_t before_ms = jw->n_log ? jwping__line_at(jw, 0).at_ms - 1 : now_ms;
    if (jw->preamble == 2) {
        jw->preamble = 1;
        if (jw->n_hello) return jwping__write(jw, jw->hello, jw->n_hello, before_ms, 0);
    }
    if (jw->preamble == 1) {
        jw->preamble = 0;
        if (jw->n_item) return jwping__write(jw, jw->item, jw->n_item, before_ms, 0);
    }
    if (jw->n_written == jw->n_log) return 0;
    line = jwping__line_at(jw, jw->n_written);
    if (!jwping__write(jw, jw->log + jw->n_written + sizeof line, line.n_bytes, line.at_ms,
                       line.asks ? line.number : 0))
        return 0;
    jw->n_written += jwping__size(&line);
    return 1;
}

/* One reply: {"ack":N} or {"error":…}. */
static void jwping__hear(struct jwping *jw, const char *reply) {
    uint64_t number = 0;
    if (strncmp(reply, "{\"error\":", 9) == 0) jwping__refuse(jw, "the daemon", reply);
    if (strncmp(reply, "{\"ack\":", 7) != 0) return;
    for (reply += 7; *reply >= '0' && *reply <= '9' && number < UINT64_MAX / 16; reply++)
        number = number * 10 + (uint64_t)(*reply - '0');
    jwping__acknowledge(jw, number);
}

/* One character of a reply; of a longer reply than the buffer takes, only the beginning is kept. */
static void jwping__take(struct jwping *jw, char character) {
    if (character != '\n') {
        if (jw->n_in < sizeof jw->in - 1) jw->in[jw->n_in++] = character;
        return;
    }
    jw->in[jw->n_in] = 0;
    jw->n_in = 0;
    jwping__hear(jw, jw->in);
}

/* The replies that are there, up to a bound. */
static void jwping__read(struct jwping *jw) {
    char data[4096];
    for (int n_left = 16; jw->fd >= 0 && n_left > 0; n_left--) {
        ssize_t n = recv(jw->fd, data, sizeof data, MSG_DONTWAIT);
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) return;
        if (n <= 0) jwping__cut(jw);
        for (ssize_t idx = 0; idx < n; idx++) jwping__take(jw, data[idx]);
    }
}

void jwping_pump(struct jwping *jw) {
    int64_t now_ms = JWPING_NOW_MS();
    jwping__read(jw);
    jwping__tidy(jw, now_ms);
    if (jw->fd < 0 && !jwping__connect(jw, now_ms)) return;
    for (int n_left = JWPING_MAX_LINES_A_CALL; jwping__flush(jw) && n_left > 0;) {
        if (!jwping__write_next(jw, now_ms)) return;
        while (--n_left > 0 && jwping__write_next(jw, now_ms)) continue;
    }
}

/* --- what happens ---------------------------------------------------------------------------- */

void jwping_open(struct jwping *jw, const char *path) {
    memset(jw, 0, sizeof *jw);
    jw->fd = -1;
    path = path ? path : JWPING_DEFAULT_PATH;
    jw->n_path = strlen(path);
    if (jw->n_path >= sizeof jw->path) { /* a socket's path has 107 bytes at most */
        jwping__refuse(jw, "the socket's path", "too long");
        jw->n_path = 0;
    }
    memcpy(jw->path, path, jw->n_path);
}

static void jwping__happen(struct jwping *jw, enum jwping__kind kind, const struct jwping__text *text) {
    jwping__add(jw, kind, text);
    jwping_pump(jw);
}

/* `{"event":"NAME"`, to which values may be added. */
static struct jwping__text jwping__event(const char *name) {
    struct jwping__text text;
    text.n = 0;
    text.is_too_long = text.is_wrong = 0;
    jwping__put_text(&text, "{\"event\":", name);
    return text;
}

/* A member of an object, NULL for none; `before` is what opens the object, and then what divides it. */
static void jwping__put_member(struct jwping__text *text, const char **before, const char *key, const char *value) {
    if (!value) return;
    jwping__puts(text, *before);
    jwping__put_text(text, key, value);
    *before = ",";
}

void jwping_hello(struct jwping *jw, const struct jwping_who *who) {
    struct jwping__text text = jwping__event("hello");
    jwping__puts(&text, ",\"protocol\":1");
    if (who->app_id || who->app_version || who->app_configid) {
        const char *before = ",\"app\":{";
        jwping__put_member(&text, &before, "\"id\":", who->app_id);
        jwping__put_member(&text, &before, "\"version\":", who->app_version);
        jwping__put_member(&text, &before, "\"configid\":", who->app_configid);
        jwping__puts(&text, "}");
    }
    if (who->player_version) {
        jwping__put_text(&text, ",\"player\":{\"version\":", who->player_version);
        jwping__puts(&text, "}");
    }
    if (who->user_id && !*who->user_id) jwping__puts(&text, ",\"user\":null");
    if ((who->user_id && *who->user_id) || who->user_hash || who->user_token) {
        jwping__put_text(&text, ",\"user\":{\"id\":", who->user_id);
        if (!who->user_id) jwping__put_text(&text, ",\"user\":{\"hash\":", who->user_hash);
        if (!who->user_id && !who->user_hash) jwping__put_text(&text, ",\"user\":{\"token\":", who->user_token);
        jwping__puts(&text, "}");
    }
    if (who->advertising_id || who->is_tracking_limited) {
        jwping__puts(&text, ",\"advertising\":{\"limit\":");
        jwping__puts(&text, who->is_tracking_limited ? "true" : "false");
        jwping__put_text(&text, ",\"id\":", who->advertising_id);
        jwping__puts(&text, "}");
    }
    jwping__put_text(&text, ",\"consent\":", who->consent);
    jwping__happen(jw, JWPING__HELLO, &text);
}

void jwping_item(struct jwping *jw, const struct jwping_media *media) {
    struct jwping__text text = jwping__event("playlistItem");
    char key[17];
    jwping__new_key(jw, key);
    jwping__put_text(&text, ",\"mediaid\":", media->mediaid);
    jwping__put_text(&text, ",\"title\":", media->title);
    jwping__put_text(&text, ",\"feedid\":", media->feedid);
    jwping__put_text(&text, ",\"play\":", media->play ? media->play : key);
    if (media->duration > 0) jwping__put_number(&text, ",\"duration\":", media->duration);
    if (media->is_live) jwping__puts(&text, media->is_live > 0 ? ",\"live\":true" : ",\"live\":false");
    jwping__happen(jw, JWPING__ITEM, &text);
}

void jwping_time(struct jwping *jw, double position, double duration) {
    struct jwping__text text = jwping__event("time");
    jwping__put_number(&text, ",\"position\":", position);
    if (duration > 0 && duration < 1e12) jwping__put_number(&text, ",\"duration\":", duration);
    jwping__happen(jw, JWPING__TICK, &text);
}

void jwping_seek(struct jwping *jw, double offset) {
    struct jwping__text text = jwping__event("seek");
    if (offset == offset) jwping__put_number(&text, ",\"offset\":", offset);
    jwping__happen(jw, JWPING__OTHER, &text);
}

void jwping_rate(struct jwping *jw, double rate) {
    struct jwping__text text = jwping__event("playbackRateChanged");
    jwping__put_number(&text, ",\"playbackRate\":", rate);
    jwping__happen(jw, JWPING__OTHER, &text);
}

static void jwping__plain(struct jwping *jw, enum jwping__kind kind, const char *name) {
    struct jwping__text text = jwping__event(name);
    jwping__happen(jw, kind, &text);
}

void jwping_seeked(struct jwping *jw) { jwping__plain(jw, JWPING__OTHER, "seeked"); }
void jwping_pause(struct jwping *jw) { jwping__plain(jw, JWPING__OTHER, "pause"); }
void jwping_play(struct jwping *jw) { jwping__plain(jw, JWPING__OTHER, "play"); }
void jwping_ad_impression(struct jwping *jw) { jwping__plain(jw, JWPING__OTHER, "adImpression"); }
void jwping_complete(struct jwping *jw) { jwping__plain(jw, JWPING__END, "complete"); }
void jwping_remove(struct jwping *jw) { jwping__plain(jw, JWPING__END, "remove"); }

uint64_t jwping_n_unacknowledged(const struct jwping *jw) {
    uint64_t before;
    if (!jw->n_log) return 0;
    before = jwping__line_at(jw, 0).number - 1; /* numbers have no gaps */
    return jw->n_events - (before > jw->acknowledged ? before : jw->acknowledged);
}

int jwping_close(struct jwping *jw, int wait_ms) {
    int64_t until_ms = jwping__boottime_ms() + wait_ms;
    int has_all;
    if (jw->is_playing) jwping_remove(jw);
    while (jwping_n_unacknowledged(jw) && jwping__boottime_ms() < until_ms) {
        struct pollfd readable;
        readable.fd = jw->fd; /* poll passes over -1 and only waits */
        readable.events = POLLIN;
        poll(&readable, 1, JWPING__POLL_MS);
        jwping_pump(jw);
    }
    has_all = !jwping_n_unacknowledged(jw);
    jwping__cut(jw);
    return has_all;
}

#endif /* JWPING_IMPLEMENTATION */
