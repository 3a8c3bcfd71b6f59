/* A player in C that shows nothing: it "plays" a film of so many seconds and tells jwpingd.
 *
 *     cc -std=c99 -o example example.c && ./example /run/jwpingd/player.sock 10
 */
#define JWPING_IMPLEMENTATION
#include "jwping.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static struct jwping jw; /* large: not on the stack */

int main(int argc, char **argv) {
    const struct timespec quarter = {0, 250 * 1000 * 1000};
    double duration = argc > 2 ? atof(argv[2]) : 10;
    int has_all;

    jwping_open(&jw, argc > 1 ? argv[1] : NULL);
    jwping_hello(&jw, &(struct jwping_who){.app_id = "com.example.tv", .app_version = "2.4.1"});
    jwping_item(&jw, &(struct jwping_media){.mediaid = "CcCcCcC1", .title = "A film from C"});
    for (double position = 0; position <= duration; position += 0.25) {
        jwping_time(&jw, position, duration);
        nanosleep(&quarter, NULL);
    }
    jwping_complete(&jw);
    has_all = jwping_close(&jw, 5000);
    printf("%llu events, %llu dropped, %llu connections; %s\n", (unsigned long long)jw.n_events,
           (unsigned long long)jw.n_dropped, (unsigned long long)jw.n_connections,
           has_all ? "the daemon has them all" : jw.last_error);
    return has_all ? 0 : 1;
}
