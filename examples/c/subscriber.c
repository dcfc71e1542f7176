/* Prints scores as they come, or the first COUNT of them, a line of JSON each: subscriber [ENDPOINT] [COUNT]
 *
 *     cc -O2 -o subscriber subscriber.c -lzmq        (Debian, Ubuntu: apt-get install gcc libc6-dev libzmq3-dev)
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

/* A float32 in little-endian order, wherever in memory and on whatever machine. */
static float float_at(const unsigned char *bytes) {
    uint32_t bits = bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static int fail(const char *what) {
    fprintf(stderr, "subscriber: %s: %s\n", what, zmq_strerror(zmq_errno()));
    return 1;
}

int main(int argc, char **argv) {
    const char *endpoint = argc > 1 ? argv[1] : "tcp://127.0.0.1:5556";
    long left = argc > 2 ? atol(argv[2]) : -1;
    void *context = zmq_ctx_new();
    void *socket = zmq_socket(context, ZMQ_SUB);
    if (zmq_connect(socket, endpoint) || zmq_setsockopt(socket, ZMQ_SUBSCRIBE, "scores/", 7)) return fail(endpoint);
    while (left) {
        zmq_msg_t topic, header, payload, *frames[] = {&topic, &header, &payload};
        for (int i = 0; i < 3; i++) {
            zmq_msg_init(frames[i]);
            if (zmq_msg_recv(frames[i], socket, 0) < 0) return fail("receive");
            if (zmq_msg_more(frames[i]) != (i < 2)) {
                fprintf(stderr, "subscriber: a message has three frames\n");
                return 1;
            }
        }
        /* The header is JSON: any library reads it. The payload holds n scores of the patch, then n rolling ones. */
        size_t n = zmq_msg_size(&payload) / 8;
        const unsigned char *scores = zmq_msg_data(&payload);
        printf("{\"topic\": \"%.*s\", \"header\": %.*s, \"patch\": [", (int)zmq_msg_size(&topic),
               (const char *)zmq_msg_data(&topic), (int)zmq_msg_size(&header), (const char *)zmq_msg_data(&header));
        for (size_t i = 0; i < n; i++) printf("%s%.9g", i ? ", " : "", (double)float_at(scores + 4 * i));
        printf("]}\n");
        fflush(stdout);
        for (int i = 0; i < 3; i++) zmq_msg_close(frames[i]);
        if (left > 0) left--;
    }
    zmq_close(socket);
    zmq_ctx_term(context);
    return 0;
}
