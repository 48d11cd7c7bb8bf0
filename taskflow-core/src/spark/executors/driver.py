"""The Spark driver of a taskflow run: it passes attempts to worker processes on the executors of a cluster.

Commands are read from stdin and events are written to stdout. Each is a line of JSON, followed by the bytes that it announces.

    in   {"name", "conf", "files", "binary", "config", "env", "word"}                       the first line
         {"job", "lengths": [..], "partitions": n or null} and the requests                 runs a job
         {"cancel": job}
    out  {"ready": application, "ui": address}  or  {"missing": text}  or  {"unready": text}
         {"job", "blocks": [[first, count, bytes of answers, bytes of output, exit code or null], ..]} and those bytes
         {"job", "done": number of answers}  or  {"job", "failed": text}

The driver ends when stdin is closed.

Requests are passed to workers unchanged, and so are the answers of workers: the only work per request is the division into
partitions. Workers write to files, because a file keeps the answers of a worker that dies and needs no reader. A block contains
the answers to `count` requests, starting with the first. A block with an exit code belongs to a single request, which ended its
worker.

Blocks are sent when their partition is complete. They are sent in an accumulator, which Spark updates once per partition of a
job, however often that was run: neither a speculative copy nor the loss of an executor duplicates an answer.
"""

import json
import os
import queue
import subprocess
import sys
import threading
import time

# The output of scripts and libraries goes to stderr: stdout is reserved for events.
OUT = os.fdopen(os.dup(1), "wb", buffering=0)
os.dup2(2, 1)
ANSWERS = queue.SimpleQueue()


def send(head, *parts):
    ANSWERS.put((head, parts))


def write_answers():
    while True:
        head, parts = ANSWERS.get()
        if head is None:
            return
        line = json.dumps(head).encode() + b"\n"
        data = memoryview(b"".join((line, *parts)))
        while data:
            data = data[OUT.write(data) :]


def make_work(job, binary, config, env, word, tries):
    """The function that runs on the executors. It is a closure, because this file cannot be imported there."""

    def work(partition, chunks):
        import fcntl
        import os
        import signal
        import struct
        import subprocess
        import tempfile
        import threading

        from pyspark import SparkFiles, TaskContext

        END = (1 << 64) - 1
        PRINTED = 64 << 10  # how many of the last bytes are kept of the output of an attempt that ended its worker

        def scratch():
            """An unnamed file. Writes are appended, even after the worker has truncated it."""
            file = tempfile.TemporaryFile(dir=SparkFiles.getRootDirectory())
            fcntl.fcntl(file, fcntl.F_SETFL, fcntl.fcntl(file, fcntl.F_GETFL) | os.O_APPEND)
            return file

        def start(requests, answers, printed):
            path = SparkFiles.get(binary)
            environment = dict(os.environ, **env)
            # An executor on this machine has inherited our variable, but has another working directory.
            environment.pop("TASKFLOW_CONFIG", None)
            if config:
                environment["TASKFLOW_CONFIG"] = SparkFiles.get(config)
            process = subprocess.Popen(
                [path, word],
                stdin=subprocess.PIPE,
                stdout=answers,
                stderr=printed,
                env=environment,
                start_new_session=True,
            )

            def feed():
                try:
                    process.stdin.write(requests)
                    process.stdin.write(struct.pack("<Q", 0))
                    process.stdin.flush()
                except (BrokenPipeError, ValueError):
                    pass  # The worker has ended; `end` finds out how.

            threading.Thread(target=feed, daemon=True).start()
            return process

        def end(process):
            """Waits for its end, kills its process group and returns the exit code. Its id is not reused before it is reaped."""
            try:
                os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
            finally:
                try:
                    os.killpg(process.pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
                code = process.wait()
                try:
                    process.stdin.close()
                except OSError:
                    pass
            return code

        def contents(file, most=None):
            size = os.fstat(file.fileno()).st_size
            file.seek(0 if most is None else max(0, size - most))
            return file.read()

        def ends(answers):
            """The offsets where answers end: after each END, which is not the length of a frame."""
            at, found = 0, []
            while len(answers) - at >= 8:
                (length,) = struct.unpack_from("<Q", answers, at)
                at += 8
                if length == END:
                    found.append(at)
                elif len(answers) - at < length:
                    break
                else:
                    at += length
            return found

        def skip(requests, count):
            at = 0
            for _ in range(count):
                (length,) = struct.unpack_from("<Q", requests, at)
                at += 8 + length
            return requests[at:]

        blocks, answered = [], 0
        last_try = TaskContext.get().attemptNumber() + 1 >= tries
        for first, count, requests in chunks:
            while count:
                with scratch() as out, scratch() as err:
                    code = end(start(requests, out, err))
                    answers, printed = contents(out), contents(err, PRINTED)
                is_up = answers.startswith(struct.pack("<Q", END))
                if is_up and answers.endswith(struct.pack("<Q", count)):
                    # The final count proves that everything is answered, however the worker ended.
                    blocks.append((first, count, answers[8:-8], b"", None))
                    answered += count
                    break
                if not is_up or not last_try:
                    tail = printed.decode(errors="replace").strip().splitlines()[-5:]
                    how = "the worker ended with %d" % code if is_up else "the worker did not start (%d)" % code
                    raise RuntimeError("taskflow: " + ": ".join([how, *tail]))
                # Spark will not retry this partition: the request that ended the worker is answered with the exit code,
                # and the rest continues in a new worker.
                offsets = ends(answers)
                done = len(offsets) - 1
                blocks.append((first, done, answers[8 : offsets[-1]], b"", None))
                blocks.append((first + done, 1, answers[offsets[-1] :], printed, code))
                answered += done + 1
                requests = skip(requests, done + 1)
                first, count = first + done + 1, count - done - 1
        results.add([(job, blocks)])
        yield answered

    results = RESULTS
    return work


def deliver(update):
    for job, blocks in update:
        heads = [[first, count, len(answers), len(printed), code] for first, count, answers, printed, code in blocks]
        parts = [part for _, _, answers, printed, _ in blocks for part in (answers, printed)]
        send({"job": job, "blocks": heads}, *parts)


def make_param():
    from pyspark import AccumulatorParam

    class Gathered(AccumulatorParam):
        """Collects lists on the executors; the driver sends them on and keeps nothing."""

        def zero(self, value):
            return []

        def addInPlace(self, some, more):
            import sys

            deliver = getattr(sys.modules["__main__"], "deliver", None)
            if deliver is None:
                return some + more
            deliver(more)
            return []

    return Gathered()


def settle(sc):
    """Waits for executors that are starting, so that the first job is divided among all of them."""
    status = sc._jsc.sc()
    deadline, before, since = time.monotonic() + 30, 0, time.monotonic()
    while time.monotonic() < deadline:
        now = status.getExecutorMemoryStatus().size() - 1
        if now != before:
            before, since = now, time.monotonic()
        if now > 0 and time.monotonic() - since > 0.5:
            return
        time.sleep(0.1)


def cut(lengths, data, wanted, cores):
    """Divides the requests into partitions of about the same count and size: as many as wanted, else four for each core, or more
    to limit their size to about 16 MiB."""
    count = wanted or max(4 * cores, -(-len(data) // (16 << 20)))
    most = max(1, -(-len(data) // count))
    per = max(1, -(-len(lengths) // count))
    chunks, first, begin, end = [], 0, 0, 0
    for number, length in enumerate(lengths):
        if number > first and (end - begin + length > 2 * most or number - first >= per):
            chunks.append((first, number - first, data[begin:end]))
            first, begin = number, end
        end += length
    chunks.append((first, len(lengths) - first, data[begin:end]))
    return chunks


def last_line(error):
    """The essence of an error of Spark: the message of a worker, else the first line of the message and that of its cause."""
    lines = [line.strip(" :") for line in str(error).splitlines() if line.strip(" :")]
    ours = [line for line in lines if "taskflow: " in line]
    if ours:
        return ours[-1].partition("taskflow: ")[2]
    first = [line for line in lines if not line.startswith("An error occurred while calling")][:1] or [repr(error)]
    return " | ".join(first + [line for line in lines if line.startswith("Caused by:")][:1])[:2000]


SETTLED, SETTLING = threading.Event(), threading.Lock()
RUNNING, CANCELLED = set(), set()


def cancel(sc, job):
    """Repeats the cancellation until the job has ended: Spark ignores one that arrives before the start."""
    CANCELLED.add(job)
    while job in RUNNING:
        sc.cancelJobGroup("taskflow-%d" % job)
        time.sleep(0.5)


def run_job(sc, job, lengths, data, partitions, work):
    try:
        with SETTLING:
            if not SETTLED.is_set() and not sc.master.startswith("local"):
                settle(sc)
            SETTLED.set()
        sc.setJobGroup("taskflow-%d" % job, "%d attempts of tasks" % len(lengths), True)
        if job in CANCELLED:
            return send({"job": job, "failed": "the job was cancelled"})
        chunks = cut(lengths, data, partitions, sc.defaultParallelism)
        del data
        count = sum(sc.parallelize(chunks, len(chunks)).mapPartitionsWithIndex(work).collect())
        send({"job": job, "done": count})
    except BaseException as error:
        print("job %d: %s" % (job, error), file=sys.stderr)
        send({"job": job, "failed": last_line(error)})
    finally:
        RUNNING.discard(job)


def tries_of(sc):
    """How often Spark runs a failing partition. In local mode the master sets it; the default there is once."""
    if not sc.master.startswith("local"):
        return int(sc.getConf().get("spark.task.maxFailures", "4"))
    inside = sc.master.partition("[")[2].rstrip("]").split(",")
    return int(inside[1]) if len(inside) > 1 else 1


def main():
    global RESULTS
    commands = sys.stdin.buffer
    writer = threading.Thread(target=write_answers)
    writer.start()
    try:
        serve(commands)
    finally:
        ANSWERS.put((None, ()))
        writer.join(5)
        sys.stderr.flush()
        os._exit(0)


def serve(commands):
    global RESULTS
    config = json.loads(commands.readline())
    try:
        from pyspark import InheritableThread, SparkConf, SparkContext
    except ImportError as error:
        return send({"missing": "%s (%s)" % (error, sys.executable)})
    try:
        conf = SparkConf().setAppName(config["name"])
        for key, value in config["conf"]:
            conf.set(key, value)
        if conf.get("spark.master", "").startswith("local"):
            os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
        sc = SparkContext(conf=conf)
        for path in config["files"]:
            sc.addFile(path)
        RESULTS = sc.accumulator([], make_param())
        tries = tries_of(sc)
    except BaseException as error:
        print(error, file=sys.stderr)
        return send({"unready": last_line(error)})
    send({"ready": sc.applicationId, "ui": sc.uiWebUrl})
    while True:
        line = commands.readline()
        if not line:
            break
        command = json.loads(line)
        if "cancel" in command:
            threading.Thread(target=cancel, args=(sc, command["cancel"]), daemon=True).start()
            continue
        lengths = command["lengths"]
        data = commands.read(sum(lengths))
        RUNNING.add(command["job"])
        work = make_work(command["job"], config["binary"], config["config"], config["env"], config["word"], tries)
        args = (sc, command["job"], lengths, data, command["partitions"], work)
        InheritableThread(target=run_job, args=args, daemon=True).start()
    sc.cancelAllJobs()
    sc.stop()
    # Java ends when its stdin is closed, and then removes its directories, which contain a copy of the program.
    java = SparkContext._gateway.proc
    try:
        java.stdin.close()
        java.wait(5)
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        print("Java did not end: %s" % error, file=sys.stderr)


if __name__ == "__main__":
    main()
