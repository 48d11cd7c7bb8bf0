"""The Spark driver of a run of taskflow: it hands attempts to worker processes on the executors of a cluster.

Commands come in through stdin and answers go out through stdout: a line of JSON, and behind it as many bytes as the line says.

    in   {"name", "conf", "files", "binary", "config", "env", "word"}                       the first one
         {"job", "lengths": [..], "partitions": n or null} and the requests                 runs them
         {"cancel": job}
    out  {"ready": application, "ui": address}  or  {"missing": text}  or  {"unready": text}
         {"job", "blocks": [[first, count, bytes of answers, of what was printed, exit code or null], ..]} and those bytes
         {"job", "done": number of answers}  or  {"job", "failed": text}

The end of stdin is the end of the driver.

Requests go to workers as they come in, and answers come back as workers wrote them: nothing here is done for each of them but the
cut into partitions. Workers write into files, since there a worker that dies leaves what it has said, and nobody has to wake up
to take it. A block has the answers to as many requests, from the first one on; one with an exit code is about a single request,
which took its worker with it.

Blocks come as soon as the partition is done that they belong to. They travel in an accumulator, which Spark adds to once for each
partition of a job, however often that was run: neither a speculative copy nor the loss of an executor makes an answer come twice.
"""

import json
import os
import queue
import subprocess
import sys
import threading
import time

# What scripts and libraries print goes to stderr: stdout is taken.
OUT = os.fdopen(os.dup(1), "wb", buffering=0)
os.dup2(2, 1)
ANSWERS = queue.SimpleQueue()


def say(head, *parts):
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
    """What runs on the executors. A closure, because nothing of this file can be imported there."""

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
        PRINTED = 64 << 10  # of what an attempt printed before it took its worker with it the last bytes are kept

        def scratch():
            """A file without a name. What is written goes to its end, wherever the worker has cut it off."""
            file = tempfile.TemporaryFile(dir=SparkFiles.getRootDirectory())
            fcntl.fcntl(file, fcntl.F_SETFL, fcntl.fcntl(file, fcntl.F_GETFL) | os.O_APPEND)
            return file

        def start(requests, said, printed):
            path = SparkFiles.get(binary)
            surroundings = dict(os.environ, **env)
            # On this machine Python has inherited ours, and works in another directory.
            surroundings.pop("TASKFLOW_CONFIG", None)
            if config:
                surroundings["TASKFLOW_CONFIG"] = SparkFiles.get(config)
            process = subprocess.Popen(
                [path, word],
                stdin=subprocess.PIPE,
                stdout=said,
                stderr=printed,
                env=surroundings,
                start_new_session=True,
            )

            def feed():
                try:
                    process.stdin.write(requests)
                    process.stdin.write(struct.pack("<Q", 0))
                    process.stdin.flush()
                except (BrokenPipeError, ValueError):
                    pass  # It has ended; how it did is seen elsewhere.

            threading.Thread(target=feed, daemon=True).start()
            return process

        def end(process):
            """Its exit code; what it has started ends with it. Its number is its own until it is reaped."""
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

        def ends(said):
            """Where answers end: behind each length that no frame has."""
            at, found = 0, []
            while len(said) - at >= 8:
                (length,) = struct.unpack_from("<Q", said, at)
                at += 8
                if length == END:
                    found.append(at)
                elif len(said) - at < length:
                    break
                else:
                    at += length
            return found

        def behind(requests, count):
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
                    said, printed = contents(out), contents(err, PRINTED)
                is_up = said.startswith(struct.pack("<Q", END))
                if is_up and said.endswith(struct.pack("<Q", count)):
                    # The count says so: everything is answered, however it ended then.
                    blocks.append((first, count, said[8:-8], b"", None))
                    answered += count
                    break
                if not is_up or not last_try:
                    tail = printed.decode(errors="replace").strip().splitlines()[-5:]
                    how = "the worker ended with %d" % code if is_up else "the worker did not start (exit code %d)" % code
                    raise RuntimeError("taskflow: " + ": ".join([how, *tail]))
                # Nobody tries this partition again: what took the worker with it is answered so, and the others go on.
                places = ends(said)
                done = len(places) - 1
                blocks.append((first, done, said[8 : places[-1]], b"", None))
                blocks.append((first + done, 1, said[places[-1] :], printed, code))
                answered += done + 1
                requests = behind(requests, done + 1)
                first, count = first + done + 1, count - done - 1
        results.add([(job, blocks)])
        yield answered

    results = RESULTS
    return work


def deliver(update):
    for job, blocks in update:
        heads = [[first, count, len(said), len(printed), code] for first, count, said, printed, code in blocks]
        parts = [part for _, _, said, printed, _ in blocks for part in (said, printed)]
        say({"job": job, "blocks": heads}, *parts)


def make_param():
    from pyspark import AccumulatorParam

    class Gathered(AccumulatorParam):
        """Lists on the executors; on the driver nothing is kept."""

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
    """Waits for the executors that are on their way, so that the first job is cut for all of them."""
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
    """Partitions of about as many items and about the same size: as many as are wanted, else four for each core, and more so that
    they are about 16 MiB at most."""
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
    """What to tell of an error of Spark: what a worker said, else what Spark says first and what it says is the cause."""
    lines = [line.strip(" :") for line in str(error).splitlines() if line.strip(" :")]
    ours = [line for line in lines if "taskflow: " in line]
    if ours:
        return ours[-1].partition("taskflow: ")[2]
    told = [line for line in lines if not line.startswith("An error occurred while calling")][:1] or [repr(error)]
    return " | ".join(told + [line for line in lines if line.startswith("Caused by:")][:1])[:2000]


SETTLED, SETTLING = threading.Event(), threading.Lock()
RUNNING, CANCELLED = set(), set()


def cancel(sc, job):
    """Again and again until it is over: Spark forgets a cancellation of what has not begun."""
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
            return say({"job": job, "failed": "it was cancelled"})
        chunks = cut(lengths, data, partitions, sc.defaultParallelism)
        del data
        count = sum(sc.parallelize(chunks, len(chunks)).mapPartitionsWithIndex(work).collect())
        say({"job": job, "done": count})
    except BaseException as error:
        print("job %d: %s" % (job, error), file=sys.stderr)
        say({"job": job, "failed": last_line(error)})
    finally:
        RUNNING.discard(job)


def tries_of(sc):
    """How often Spark runs a partition that fails. In local mode the master says so, and else once."""
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
        return say({"missing": "%s (%s)" % (error, sys.executable)})
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
        return say({"unready": last_line(error)})
    say({"ready": sc.applicationId, "ui": sc.uiWebUrl})
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
    # Java ends when its stdin is closed, and takes its directories with it: there is a copy of the program in one of them.
    java = SparkContext._gateway.proc
    try:
        java.stdin.close()
        java.wait(5)
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        print("Java does not end: %s" % error, file=sys.stderr)


if __name__ == "__main__":
    main()
