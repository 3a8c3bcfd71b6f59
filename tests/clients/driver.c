/* Does to jwping.h what its input says: lines of "MS NAME [A [B]]", each answered by a dot.
 *
 * The clock of the client is the MS of the line, so that a film of the past takes no time to play.
 */
static long long film_ms;
#define JWPING_NOW_MS() film_ms
#define JWPING_IMPLEMENTATION
#include "jwping.h"

#include <math.h>
#include <stdlib.h>

static struct jwping jw;

/* A value of the input; "-" is none. */
static double number(const char *text) { return text[0] == '-' ? NAN : atof(text); }

/* Every value that the header can say. */
static void everything(void) {
    jwping_hello(&jw, &(struct jwping_who){.app_id = "com.example.tv",
                                           .app_version = "2",
                                           .app_configid = "2bl4leq6",
                                           .player_version = "1.22",
                                           .user_hash = "a94a8fe5ccb19ba61c4c0873d391e987982fbbd3",
                                           .advertising_id = "5f0c2a8e-3b1d-4c6f-9a7e-2d4b6c8e0f1a",
                                           .consent = "full"});
    jwping_hello(&jw, &(struct jwping_who){.app_configid = "2bl4leq6", .user_id = "7", .is_tracking_limited = 1});
    jwping_hello(&jw, &(struct jwping_who){.user_token = "a.b.c", .advertising_id = ""});
    jwping_item(&jw, &(struct jwping_media){.mediaid = "9u6OHIO4",
                                            .title = "Elephants Dream",
                                            .feedid = "ON53iLoH",
                                            .play = "k",
                                            .duration = 653.8,
                                            .is_live = -1});
    jwping_item(&jw, &(struct jwping_media){.mediaid = "9u6OHIO4", .play = "l", .is_live = 1});
    jwping_time(&jw, 0.25, 653.8);
    jwping_seek(&jw, 420);
    jwping_rate(&jw, 2);
}

static void act(const char *name, const char *a, const char *b) {
    if (!strcmp(name, "hello")) jwping_hello(&jw, &(struct jwping_who){.app_id = a, .app_version = b});
    if (!strcmp(name, "logout")) jwping_hello(&jw, &(struct jwping_who){.user_id = "", .consent = "anonymous"});
    if (!strcmp(name, "everything")) everything();
    if (!strcmp(name, "playlistItem")) jwping_item(&jw, &(struct jwping_media){.mediaid = a, .title = b, .play = "k"});
    if (!strcmp(name, "time")) jwping_time(&jw, number(a), number(b));
    if (!strcmp(name, "seek")) jwping_seek(&jw, number(a));
    if (!strcmp(name, "seeked")) jwping_seeked(&jw);
    if (!strcmp(name, "pause")) jwping_pause(&jw);
    if (!strcmp(name, "play")) jwping_play(&jw);
    if (!strcmp(name, "playbackRateChanged")) jwping_rate(&jw, number(a));
    if (!strcmp(name, "adImpression")) jwping_ad_impression(&jw);
    if (!strcmp(name, "complete")) jwping_complete(&jw);
    if (!strcmp(name, "remove")) jwping_remove(&jw);
    if (!strcmp(name, "pump")) jwping_pump(&jw);
}

int main(int argc, char **argv) {
    static char input[100000];
    int has_all;
    jwping_open(&jw, argc > 1 ? argv[1] : NULL);
    while (fgets(input, sizeof input, stdin)) {
        char *ms = strtok(input, "\t\n"), *name = strtok(NULL, "\t\n"), *a = strtok(NULL, "\t\n");
        char *b = a ? strtok(NULL, "\t\n") : NULL;
        film_ms = strtoll(ms, NULL, 10);
        act(name, a ? a : "-", b ? b : "-");
        puts(".");
        fflush(stdout);
    }
    film_ms += 1000; /* a refused try may be made again */
    has_all = jwping_close(&jw, 10000);
    printf("{\"has_all\":%d,\"n_events\":%llu,\"n_dropped\":%llu,\"n_refused\":%llu,\"n_connections\":%llu}\n",
           has_all, (unsigned long long)jw.n_events, (unsigned long long)jw.n_dropped,
           (unsigned long long)jw.n_refused, (unsigned long long)jw.n_connections);
    return 0;
}
