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

static void act(const char *name, const char *a, const char *b) {
    if (!strcmp(name, "hello")) jwping_hello(&jw, &(struct jwping_who){.app_id = a, .app_version = b});
    if (!strcmp(name, "logout")) jwping_hello(&jw, &(struct jwping_who){.user_id = "", .consent = "anonymous"});
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
