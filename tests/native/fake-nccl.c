/* A stand-in for libnccl and the CUDA runtime, for machines without a GPU: the entry points that src/worker/native uses,
 * over sockets of this machine, with faults on demand. Device memory is the heap; a stream is a thread with a queue; a
 * communicator talks to a hub in the process that made the unique id, which checks that all ranks make the same call.
 *
 *   fake_fault(rank, operation, kind)   the next communicator of that rank: operation 0 is its init, 1 its first
 *                                       collective, and so on; kinds are below. kind 0 clears.
 *   FAKE_CUDA_DEVICE in the environment: "none" = a stream is refused as without a GPU, "crash" = the process ends there
 *   fake_live(what)                     live device allocations (0), streams (1), communicators (2), registrations (3)
 *
 * cc -shared -fPIC -O1 -Wl,-z,nodelete -o libfake.so fake-nccl.c -lpthread
 */
#include <arpa/inet.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SUCCESS = 0, SYSTEM_ERROR = 2, INTERNAL_ERROR = 3, INVALID_ARGUMENT = 4, REMOTE_ERROR = 6, IN_PROGRESS = 7 };
enum { CUDA_OUT_OF_MEMORY = 2, CUDA_NO_DEVICE = 100, CUDA_NOT_READY = 600 };
/* HANG: the operation never ends. BLOCK: the call itself never returns. FAIL: the call returns an error. LATE_FAIL: the
 * call succeeds, the error comes later. DIE: the connection to the group breaks. STUCK: never ends, abort or not. All others but FAIL end by an abort. */
enum { NONE, HANG, BLOCK, FAIL, LATE_FAIL, DIE, STUCK };
enum { INIT = 1, BROADCAST = 2, ALL_REDUCE = 3 };

typedef struct { char internal[128]; } ncclUniqueId;
typedef struct { uint32_t magic; uint16_t port; } Id;
typedef struct { uint32_t kind, root; uint64_t bytes; int32_t rank, ranks; } Header;

typedef struct Comm {
  int socket, rank, ranks, operations;
  volatile int state, aborted;
  int fault_operation, fault_kind;
  Id id;
} Comm;

typedef struct Op {
  struct Op *next;
  Comm *comm;
  int kind, root, fault;
  const void *from;
  void *to;
  uint64_t bytes;
} Op;

typedef struct {
  pthread_mutex_t lock;
  pthread_cond_t changed;
  pthread_t thread;
  Op *first, *last;
  int busy, ending;
} Stream;

static volatile int live[4];
static struct { int operation, kind; } faults[64];
static uint64_t memory_limit = 1ull << 40;

void fake_fault(int rank, int operation, int kind) {
  faults[rank].operation = operation;
  faults[rank].kind = kind;
}
int fake_live(int what) { return live[what]; }
void fake_memory(uint64_t bytes) { memory_limit = bytes; }
static void nap(void) { usleep(500); }

static int send_all(int socket, const void *data, uint64_t bytes) {
  for (const char *at = data; bytes > 0;) {
    ssize_t sent = send(socket, at, bytes, MSG_NOSIGNAL);
    if (sent <= 0) return 0;
    at += sent;
    bytes -= sent;
  }
  return 1;
}
static int receive_all(int socket, void *data, uint64_t bytes) {
  for (char *at = data; bytes > 0;) {
    ssize_t got = recv(socket, at, bytes, 0);
    if (got <= 0) return 0;
    at += got;
    bytes -= got;
  }
  return 1;
}

/* ---- the hub: one per unique id, in the process that made it ---- */

static int hub_step(int *sockets, int ranks) {
  Header first = {0}, header;
  for (int rank = 0; rank < ranks; rank++) {
    if (!receive_all(sockets[rank], rank == 0 ? &first : &header, sizeof header)) return 0;
    if (rank > 0 && (header.kind != first.kind || header.root != first.root || header.bytes != first.bytes)) return 0;
  }
  char *data = malloc(first.bytes + 8), *other = malloc(first.bytes + 8);
  int ok = 1;
  if (first.kind == BROADCAST) {
    ok = receive_all(sockets[first.root], data, first.bytes);
    for (int rank = 0; ok && rank < ranks; rank++)
      if (rank != (int)first.root) ok = send_all(sockets[rank], data, first.bytes);
  } else {
    memset(data, 0, first.bytes);
    for (int rank = 0; ok && rank < ranks; rank++) {
      ok = receive_all(sockets[rank], other, first.bytes);
      for (uint64_t at = 0; at < first.bytes / 4; at++) ((float *)data)[at] += ((float *)other)[at];
    }
    for (int rank = 0; ok && rank < ranks; rank++) ok = send_all(sockets[rank], data, first.bytes);
  }
  free(data);
  free(other);
  return ok;
}

static void *hub(void *argument) {
  int listener = (int)(intptr_t)argument, sockets[64], ranks = 1, joined = 0, ok = 1;
  memset(sockets, 0xff, sizeof sockets);
  while (ok && joined < ranks) {
    int socket = accept(listener, NULL, NULL);
    Header hello;
    ok = socket >= 0 && receive_all(socket, &hello, sizeof hello) && hello.ranks <= 64 && hello.rank < hello.ranks &&
         sockets[hello.rank] < 0 && (joined == 0 || hello.ranks == ranks);
    if (!ok) { if (socket >= 0) close(socket); break; }
    sockets[hello.rank] = socket;
    ranks = hello.ranks;
    joined++;
  }
  close(listener);
  for (int rank = 0; ok && rank < ranks; rank++) ok = send_all(sockets[rank], "y", 1);
  while (ok && hub_step(sockets, ranks)) {}
  for (int rank = 0; rank < 64; rank++) if (sockets[rank] >= 0) close(sockets[rank]);
  return NULL;
}

/* ---- NCCL ---- */

int ncclGetVersion(int *version) { *version = 23007; return SUCCESS; }
const char *ncclGetErrorString(int code) {
  static const char *texts[] = {"no error", "unhandled cuda error", "unhandled system error", "internal error",
                                "invalid argument", "invalid usage", "remote process exited or there was a network error",
                                "NCCL operation in progress"};
  return code >= 0 && code < 8 ? texts[code] : "unknown result code";
}
const char *ncclGetLastError(Comm *comm) { (void)comm; return "the last words of the fake"; }

int ncclGetUniqueId(ncclUniqueId *id) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof address;
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  if (bind(listener, (void *)&address, size) || listen(listener, 64)) return SYSTEM_ERROR;
  getsockname(listener, (void *)&address, &size);
  memset(id, 0, sizeof *id);
  Id *own = (Id *)id;
  own->magic = 0xfa4e;
  own->port = ntohs(address.sin_port);
  pthread_t thread;
  pthread_create(&thread, NULL, hub, (void *)(intptr_t)listener);
  pthread_detach(thread);
  return SUCCESS;
}

static int fault_of(Comm *comm) {
  int here = comm->operations++ == comm->fault_operation ? comm->fault_kind : NONE;
  while (here == BLOCK && !comm->aborted) nap();
  if (here == DIE) shutdown(comm->socket, SHUT_RDWR);
  return here;
}

static void *init(void *argument) {
  Comm *comm = argument;
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  address.sin_port = htons(comm->id.port);
  int fault = comm->fault_operation == 0 ? comm->fault_kind : NONE;
  while (fault == HANG && !comm->aborted) nap();
  Header hello = {INIT, 0, 0, comm->rank, comm->ranks};
  char answer = 0;
  int ok = !comm->aborted && fault == NONE && connect(comm->socket, (void *)&address, sizeof address) == 0 &&
           send_all(comm->socket, &hello, sizeof hello) && receive_all(comm->socket, &answer, 1) && answer == 'y';
  comm->operations = 1;
  comm->state = ok ? SUCCESS : REMOTE_ERROR;
  return NULL;
}

typedef struct { uint64_t size; uint32_t magic, version; int blocking; } Config;

int ncclCommInitRankConfig(Comm **out, int ranks, ncclUniqueId id, int rank, const Config *config) {
  Id *own = (Id *)&id;
  if (own->magic != 0xfa4e || rank < 0 || rank >= ranks) return INVALID_ARGUMENT;
  if (config->size < 20 || config->magic != 0xcafebeef || config->version < 21400 || config->blocking != 0)
    return INVALID_ARGUMENT;
  /* No handle yet, so nothing can abort this call: it is slow, not endless. */
  if (faults[rank].operation == 0 && faults[rank].kind == BLOCK) {
    faults[rank].kind = NONE;
    usleep(400000);
  }
  Comm *comm = calloc(1, sizeof *comm);
  comm->socket = socket(AF_INET, SOCK_STREAM, 0);
  comm->rank = rank;
  comm->ranks = ranks;
  comm->id = *own;
  comm->state = IN_PROGRESS;
  comm->fault_operation = faults[rank].operation;
  comm->fault_kind = faults[rank].kind;
  faults[rank].kind = NONE;
  if (comm->fault_operation == 0 && comm->fault_kind == FAIL) { close(comm->socket); free(comm); return INTERNAL_ERROR; }
  __sync_fetch_and_add(&live[2], 1);
  *out = comm;
  pthread_t thread;
  pthread_create(&thread, NULL, init, comm);
  pthread_detach(thread);
  return IN_PROGRESS;
}

int ncclCommGetAsyncError(Comm *comm, int *code) { *code = comm->state; return SUCCESS; }

/* Memory of a communicator is kept on purpose: a late thread may still look at it. */
int ncclCommAbort(Comm *comm) {
  comm->aborted = 1;
  shutdown(comm->socket, SHUT_RDWR);
  __sync_fetch_and_sub(&live[2], 1);
  return SUCCESS;
}
int ncclCommFinalize(Comm *comm) { (void)comm; return SUCCESS; }
int ncclCommDestroy(Comm *comm) { return ncclCommAbort(comm); }

static void run(Op *op) {
  Comm *comm = op->comm;
  if (comm == NULL) { memcpy(op->to, op->from, op->bytes); return; }
  while (op->fault == STUCK || (op->fault == HANG && !comm->aborted)) nap();
  Header header = {op->kind, op->root, op->bytes, comm->rank, comm->ranks};
  int ok = op->fault != LATE_FAIL && !comm->aborted && send_all(comm->socket, &header, sizeof header);
  if (op->kind == BROADCAST && comm->rank == op->root) {
    ok = ok && send_all(comm->socket, op->from, op->bytes);
    if (ok && op->to != op->from) memcpy(op->to, op->from, op->bytes);
  } else {
    ok = ok && (op->kind == BROADCAST || send_all(comm->socket, op->from, op->bytes));
    ok = ok && receive_all(comm->socket, op->to, op->bytes);
  }
  if (!ok) {
    comm->state = REMOTE_ERROR;
    /* As a kernel on a real GPU: without an abort it never ends. */
    while (!comm->aborted) nap();
  }
}

static void *work(void *argument) {
  Stream *stream = argument;
  pthread_mutex_lock(&stream->lock);
  for (;;) {
    while (stream->first == NULL && !stream->ending) pthread_cond_wait(&stream->changed, &stream->lock);
    if (stream->first == NULL) break;
    Op *op = stream->first;
    stream->first = op->next;
    stream->busy = 1;
    pthread_mutex_unlock(&stream->lock);
    run(op);
    free(op);
    pthread_mutex_lock(&stream->lock);
    stream->busy = 0;
  }
  pthread_mutex_unlock(&stream->lock);
  return NULL;
}

static void enqueue(Stream *stream, Op value) {
  Op *op = malloc(sizeof *op);
  *op = value;
  op->next = NULL;
  pthread_mutex_lock(&stream->lock);
  if (stream->first == NULL) stream->first = op; else stream->last->next = op;
  stream->last = op;
  pthread_cond_signal(&stream->changed);
  pthread_mutex_unlock(&stream->lock);
}

static uint64_t size_of(int type) {
  static const uint64_t sizes[] = {1, 1, 4, 4, 8, 8, 2, 4, 8, 2, 1, 1};
  return sizes[type];
}

static int collective(int kind, const void *from, void *to, size_t count, int type, int root, Comm *comm, Stream *stream) {
  if (comm->aborted || type < 0 || type > 11 || root < 0 || root >= comm->ranks) return INVALID_ARGUMENT;
  if (comm->state != SUCCESS) return comm->state;
  int fault = fault_of(comm);
  if (fault == FAIL || comm->aborted) return INTERNAL_ERROR;
  enqueue(stream, (Op){.comm = comm, .kind = kind, .root = root, .fault = fault, .from = from, .to = to,
                       .bytes = count * size_of(type)});
  return SUCCESS;
}
int ncclBroadcast(const void *from, void *to, size_t count, int type, int root, Comm *comm, Stream *stream) {
  return collective(BROADCAST, from, to, count, type, root, comm, stream);
}
int ncclAllReduce(const void *from, void *to, size_t count, int type, int op, Comm *comm, Stream *stream) {
  if (type != 7 || op != 0) return INVALID_ARGUMENT;
  return collective(ALL_REDUCE, from, to, count, type, 0, comm, stream);
}

/* ---- the CUDA runtime ---- */

int cudaGetDeviceCount(int *count) { *count = 1; return SUCCESS; }
int cudaSetDevice(int device) { return device == 0 ? SUCCESS : 101; }
int cudaMalloc(void **out, size_t bytes) {
  if (bytes > memory_limit) return CUDA_OUT_OF_MEMORY;
  *out = calloc(1, bytes);
  __sync_fetch_and_add(&live[0], 1);
  return SUCCESS;
}
int cudaFree(void *memory) { free(memory); __sync_fetch_and_sub(&live[0], 1); return SUCCESS; }
int cudaStreamCreateWithFlags(Stream **out, unsigned flags) {
  (void)flags;
  const char *device = getenv("FAKE_CUDA_DEVICE");
  if (device && !strcmp(device, "none")) return CUDA_NO_DEVICE;
  if (device && !strcmp(device, "crash")) abort();
  Stream *stream = calloc(1, sizeof *stream);
  pthread_mutex_init(&stream->lock, NULL);
  pthread_cond_init(&stream->changed, NULL);
  pthread_create(&stream->thread, NULL, work, stream);
  __sync_fetch_and_add(&live[1], 1);
  *out = stream;
  return SUCCESS;
}
int cudaStreamQuery(Stream *stream) {
  pthread_mutex_lock(&stream->lock);
  int busy = stream->busy || stream->first != NULL;
  pthread_mutex_unlock(&stream->lock);
  return busy ? CUDA_NOT_READY : SUCCESS;
}
int cudaStreamDestroy(Stream *stream) {
  pthread_mutex_lock(&stream->lock);
  stream->ending = 1;
  pthread_cond_signal(&stream->changed);
  pthread_mutex_unlock(&stream->lock);
  pthread_join(stream->thread, NULL);
  free(stream);
  __sync_fetch_and_sub(&live[1], 1);
  return SUCCESS;
}
int cudaMemcpyAsync(void *to, const void *from, size_t bytes, int kind, Stream *stream) {
  (void)kind;
  enqueue(stream, (Op){.from = from, .to = to, .bytes = bytes});
  return SUCCESS;
}
int cudaHostRegister(void *memory, size_t bytes, unsigned flags) {
  (void)memory, (void)bytes, (void)flags;
  __sync_fetch_and_add(&live[3], 1);
  return SUCCESS;
}
int cudaHostUnregister(void *memory) { (void)memory; __sync_fetch_and_sub(&live[3], 1); return SUCCESS; }
const char *cudaGetErrorString(int code) {
  if (code == CUDA_NO_DEVICE) return "no CUDA-capable device is detected";
  return code == CUDA_OUT_OF_MEMORY ? "out of memory" : code == CUDA_NOT_READY ? "device not ready" : "some error";
}
