// C++ Taskflow (https://github.com/taskflow/taskflow) as a contender: a program for `--program`.
//
// It is not compiled by cargo, because no package registry has the headers. With a checkout of
// C++ Taskflow in DIR:
//
//     g++ -O3 -march=native -DNDEBUG -std=c++20 -pthread -I DIR \
//         benches/engine/rivals/cpp_taskflow.cpp -o cpp-taskflow
//     cargo xtask bench -- --quick --program cpp-taskflow=$PWD/cpp-taskflow
//
// program.rs describes the arguments, the input and the output. Values are numbers in a shared
// vector, one place for each task, since a graph of C++ Taskflow passes no values.

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include <malloc.h>
#include <unistd.h>

#include <taskflow/taskflow.hpp>

using Clock = std::chrono::steady_clock;

enum class Op : std::uint8_t { source, step, twice, sum };

struct Graph {
  std::vector<Op> ops;
  // The inputs of task i are those before ends[i], from the end of the task before it on.
  std::vector<std::uint32_t> inputs;
  std::vector<std::uint32_t> ends;

  std::size_t begin(std::size_t task) const { return task == 0 ? 0 : ends[task - 1]; }
};

static Graph read_graph() {
  std::ios::sync_with_stdio(false);
  Graph graph;
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream words(line);
    std::string op;
    words >> op;
    graph.ops.push_back(op == "source" ? Op::source : op == "step" ? Op::step : op == "twice" ? Op::twice : Op::sum);
    for (std::uint32_t input; words >> input;) {
      graph.inputs.push_back(input);
    }
    graph.ends.push_back(static_cast<std::uint32_t>(graph.inputs.size()));
  }
  return graph;
}

struct Built {
  tf::Taskflow taskflow;
  std::vector<std::uint64_t> values;
};

static void build(const Graph& graph, Built& built) {
  const std::size_t tasks = graph.ops.size();
  built.values.assign(tasks, 0);
  std::uint64_t* values = built.values.data();
  std::vector<tf::Task> nodes;
  nodes.reserve(tasks);
  for (std::size_t task = 0; task < tasks; ++task) {
    const std::uint32_t* first = graph.inputs.data() + graph.begin(task);
    const std::uint32_t* last = graph.inputs.data() + graph.ends[task];
    const Op op = graph.ops[task];
    nodes.push_back(built.taskflow.emplace([values, first, last, op, task] {
      std::uint64_t sum = 0;
      for (const std::uint32_t* input = first; input != last; ++input) {
        sum += values[*input];
      }
      switch (op) {
        case Op::source: values[task] = 1; break;
        case Op::step: values[task] = 3 * sum + 1; break;
        case Op::twice: values[task] = 2 * sum; break;
        case Op::sum: values[task] = sum; break;
      }
    }));
    for (const std::uint32_t* input = first; input != last; ++input) {
      nodes[*input].precede(nodes[task]);
    }
  }
}

static std::uint64_t nanos(Clock::duration time) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(time).count();
}

// The resident memory of the process, in bytes.
static std::uint64_t resident() {
  std::FILE* file = std::fopen("/proc/self/statm", "r");
  unsigned long long pages = 0, in_memory = 0;
  if (file == nullptr || std::fscanf(file, "%llu %llu", &pages, &in_memory) != 2) {
    std::exit(1);
  }
  std::fclose(file);
  return in_memory * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

int main(int count, char** arguments) {
  if (count != 3) {
    std::fputs("usage: cpp-taskflow MILLISECONDS|memory THREADS < GRAPH\n", stderr);
    return 2;
  }
  const std::string budget = arguments[1];
  tf::Executor executor(std::strtoul(arguments[2], nullptr, 10));
  const Graph graph = read_graph();
  std::printf("tasks %zu\n", graph.ops.size());

  if (budget == "memory") {
    malloc_trim(0);
    const std::uint64_t before = resident();
    Built built;
    std::thread([&] { build(graph, built); }).join();
    const std::uint64_t ready = resident();
    std::printf("built-memory %llu\n", static_cast<unsigned long long>(ready - std::min(before, ready)));
    executor.run(built.taskflow).wait();
    const std::uint64_t after = resident();
    std::printf("run-memory %llu result %llu\n", static_cast<unsigned long long>(after - std::min(ready, after)),
                static_cast<unsigned long long>(built.values.back()));
    return 0;
  }

  const auto end = Clock::now() + std::chrono::milliseconds(std::strtoul(budget.c_str(), nullptr, 10));
  auto start = Clock::now();
  Built built;
  build(graph, built);
  std::printf("build %llu\n", static_cast<unsigned long long>(nanos(Clock::now() - start)));
  for (int runs = 0; runs < 3 || Clock::now() < end; ++runs) {
    start = Clock::now();
    executor.run(built.taskflow).wait();
    const std::uint64_t took = nanos(Clock::now() - start);
    std::printf("run %llu result %llu\n", static_cast<unsigned long long>(took),
                static_cast<unsigned long long>(built.values.back()));
    std::fflush(stdout);
  }
  return 0;
}
