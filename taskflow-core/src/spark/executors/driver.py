"""The Spark driver of a run of taskflow: it hands attempts to worker processes on the executors of a cluster.

Commands come in through stdin and answers go out through stdout: a line of JSON, and behind it as many bytes as the line says.

    in   {"name", "conf", "files", "binary", "config", "env", "word"}                       the first one
         {"job", "lengths": [..], "partitions": n or null} and the attempts                 runs them
         {"cancel": job}
    out  {"ready": application, "ui": address}  or  {"missing": text}  or  {"unready": text}
         {"job", "answers": [[number, length of what was said, of what was printed, exit code or null], ..], "bytes": n} and those
         {"job", "done": number of answers}  or  {"job", "failed": text}

The end of stdin is the end of the driver.

Answers come as soon as the partition is done that they belong to. They travel in an accumulator, which Spark adds to once for each
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

    def work(partition, items):
        import os
        import selectors
        import signal
        import struct
        import subprocess
        import threading

        from pyspark import SparkFiles, TaskContext

        END = (1 << 64) - 1
        PRINTED = 64 << 10  # of what an attempt prints the last bytes are kept
        MARK = b"\0taskflow\0"  # stands in stderr behind what each attempt has printed

        def start(todo):
            path = SparkFiles.get(binary)
            surroundings = dict(os.environ, **env)
            # On this machine Python has inherited ours, and works in another directory.
            surroundings.pop("TASKFLOW_CONFIG", None)
            if config:
                surroundings["TASKFLOW_CONFIG"] = SparkFiles.get(config)
            pipe = subprocess.PIPE
            process = subprocess.Popen(
                [path, word], stdin=pipe, stdout=pipe, stderr=pipe, env=surroundings, start_new_session=True
            )

            def feed():
                try:
                    for _, request in todo:
                        process.stdin.write(struct.pack("<Q", len(request)))
                        process.stdin.write(request)
                    process.stdin.write(struct.pack("<Q", 0))
                    process.stdin.flush()
                except (BrokenPipeError, ValueError):
                    pass  # It has ended; how it did is seen elsewhere.

            threading.Thread(target=feed, daemon=True).start()
            return process

        def talk(process, todo, answers):
            """Whether the worker came up, and what it said and printed without an answer."""
            out, err = process.stdout.fileno(), process.stderr.fileno()
            os.set_blocking(err, False)
            said, printed, greeted, raw = bytearray(), bytearray(), False, bytearray()

            def take_printed():
                while True:
                    try:
                        more = os.read(err, 1 << 16)
                    except BlockingIOError:
                        return True
                    if not more:
                        return False
                    printed.extend(more)
                    begin = printed.rfind(MARK) + len(MARK) if MARK in printed else 0
                    del printed[begin : max(begin, len(printed) - PRINTED)]

            def printed_before_mark():
                end = printed.find(MARK)
                text = bytes(printed[: max(end, 0)])
                del printed[: end + len(MARK) if end >= 0 else 0]
                return text

            both = selectors.DefaultSelector()
            both.register(out, selectors.EVENT_READ)
            both.register(err, selectors.EVENT_READ)
            while True:
                ready = {key.fd for key, _ in both.select()}
                if err in ready and not take_printed():
                    both.unregister(err)
                if out not in ready:
                    continue
                more = os.read(out, 1 << 16)
                if not more:
                    break
                raw.extend(more)
                at = 0
                while len(raw) - at >= 8:
                    (length,) = struct.unpack_from("<Q", raw, at)
                    if length != END:
                        if len(raw) - at - 8 < length:
                            break
                        said += raw[at : at + 8 + length]
                        at += 8 + length
                        continue
                    at += 8
                    if greeted:
                        # What was printed before the answer is in the pipe when the answer is; and perhaps what came after.
                        take_printed()
                        answers.append((todo[len(answers)][0], bytes(said), printed_before_mark(), None))
                        said = bytearray()
                    greeted = True
                del raw[:at]
            both.close()
            take_printed()
            return greeted, bytes(said), bytes(printed)

        def end(process):
            """Its exit code; what it has started ends with it. Its number is its own until it is reaped."""
            os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            code = process.wait()
            for stream in (process.stdin, process.stdout, process.stderr):
                try:
                    stream.close()
                except OSError:
                    pass
            return code

        todo, answered = [item for chunk in items for item in chunk], []
        last_try = TaskContext.get().attemptNumber() + 1 >= tries
        while todo:
            answers = []
            process = start(todo)
            try:
                greeted, said, printed = talk(process, todo, answers)
            except BaseException:
                process.kill()
                raise
            finally:
                code = end(process)
            answered += answers
            todo = todo[len(answers) :]
            if not todo:
                break
            if not greeted or not last_try:
                tail = printed.decode(errors="replace").strip().splitlines()[-5:]
                how = "the worker ended with %d" % code if greeted else "the worker did not come up (%d)" % code
                raise RuntimeError("taskflow: " + ": ".join([how, *tail]))
            # Nobody tries this partition again: what took the worker with it is answered so, and the others go on.
            answered.append((todo[0][0], said, printed, code))
            todo = todo[1:]
        results.add([(job, answered)])
        yield len(answered)

    results = RESULTS
    return work


def deliver(update):
    for job, answers in update:
        head = [[number, len(said), len(printed), code] for number, said, printed, code in answers]
        parts = [part for _, said, printed, _ in answers for part in (said, printed)]
        say({"job": job, "answers": head, "bytes": sum(map(len, parts))}, *parts)


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


def cut(items, wanted, cores):
    """Partitions of about as many items and about the same size: as many as are wanted, else four for each core, and more so that
    they are about 16 MiB at most."""
    total = sum(len(request) for _, request in items)
    count = wanted or max(4 * cores, -(-total // (16 << 20)))
    most = max(1, -(-total // count))
    per = max(1, -(-len(items) // count))
    chunks, chunk, size = [], [], 0
    for item in items:
        if chunk and (size + len(item[1]) > 2 * most or len(chunk) >= per):
            chunks.append(chunk)
            chunk, size = [], 0
        chunk.append(item)
        size += len(item[1])
    chunks.append(chunk)
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


def run_job(sc, job, items, partitions, work):
    try:
        with SETTLING:
            if not SETTLED.is_set() and not sc.master.startswith("local"):
                settle(sc)
            SETTLED.set()
        sc.setJobGroup("taskflow-%d" % job, "%d attempts of tasks" % len(items), True)
        if job in CANCELLED:
            return say({"job": job, "failed": "it was cancelled"})
        chunks = cut(items, partitions, sc.defaultParallelism)
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
        items = [(number, commands.read(length)) for number, length in enumerate(command["lengths"])]
        RUNNING.add(command["job"])
        work = make_work(command["job"], config["binary"], config["config"], config["env"], config["word"], tries)
        args = (sc, command["job"], items, command["partitions"], work)
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
