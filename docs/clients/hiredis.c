/* hiredis 0.14, which knows no TLS: a terminal on the node's own machine, or behind a tunnel. It signs in, repeats by the
   error's word over several nodes, and pipelines. */
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const int ports[] = {7401, 7402, 7403};

static redisContext *dial(int port) {
  struct timeval patience = {6, 0};
  redisContext *c = redisConnectWithTimeout("127.0.0.1", port, patience);
  if (!c || c->err) { redisFree(c); return NULL; }
  redisSetTimeout(c, patience);
  redisReply *r = redisCommand(c, "AUTH till7 %s", getenv("TALLY_SECRET"));
  int good = r && r->type == REDIS_REPLY_STATUS;
  if (r) freeReplyObject(r);
  if (good) return c;
  redisFree(c);
  return NULL;
}
static int again(const char *error) {
  static const char *const words[] = {"UNKNOWN", "UNAVAILABLE", "BUSY", "LOADING"};
  for (int i = 0; i < 4; i++) if (!strncmp(error, words[i], strlen(words[i]))) return 1;
  return 0;
}
/* The same id on any node: an EARN that has been booked answers as it did. NULL: nobody answered. */
static redisReply *ask(int argc, const char **argv) {
  for (int attempt = 0; attempt < 10; attempt++) {
    redisContext *c = dial(ports[attempt % 3]);
    redisReply *r = c ? redisCommandArgv(c, argc, argv, NULL) : NULL;
    if (c) redisFree(c);
    if (r && !(r->type == REDIS_REPLY_ERROR && again(r->str))) return r;
    if (r) freeReplyObject(r);
    usleep(100000u << (attempt < 5 ? attempt : 5));
  }
  return NULL;
}
int main(void) {
  const char *words[] = {"EARN", "ann", "merchant=shop", "points=5", "id=till7-h1"};
  redisReply *r = ask(5, words);
  if (r) { puts(r->str); freeReplyObject(r); }
  redisContext *c = dial(ports[0]);
  if (!c) return 1;
  redisAppendCommand(c, "BALANCE ann");
  redisAppendCommand(c, "EARN ann merchant=shop points=5 id=till7-h2");
  for (int i = 0; i < 2; i++)
    if (redisGetReply(c, (void **)&r) == REDIS_OK) { puts(r->str); freeReplyObject(r); }
  redisFree(c);
}
