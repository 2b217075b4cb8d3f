// Tensors as the kernels see them, and how work on a batch is divided.
#pragma once

#include <torch/csrc/stable/library.h>
#include <torch/csrc/stable/ops.h>
#include <torch/csrc/stable/tensor.h>

#include <algorithm>
#include <cstdint>
#include <tuple>
#include <vector>

#include "vector.h"

using torch::headeronly::ScalarType;
using torch::stable::Tensor;

template <class T>
const T* values(const Tensor& tensor) {
  return static_cast<const T*>(tensor.data_ptr());
}

template <class T>
T* output(Tensor& tensor) {
  return static_cast<T*>(tensor.data_ptr());
}

// Calls `work` with a value of the type in which a tensor's numbers are stored.
template <class Work>
void by_type(const Tensor& tensor, const Work& work) {
  const ScalarType type = tensor.scalar_type();
  STD_TORCH_CHECK(type == ScalarType::Float || type == ScalarType::BFloat16, "takes float32 or bfloat16");
  if (type == ScalarType::Float) {
    work(float());
  } else {
    work(Bf16());
  }
}

// A sum over a batch of examples × rows × width, for each row and column, in an order that does not depend on the
// number of threads: examples are cut into chunks, each chunk is summed by itself, then the sums are added in their
// order. Rows are cut into blocks, so that the sums of a task stay in the cache.
class BatchSum {
 public:
  static constexpr int64_t kExamples = 16;  // of a chunk
  static constexpr int64_t kNumbers = 4096;  // of a block: 16 KiB

  BatchSum(int64_t examples, int64_t rows, int64_t width)
      : examples_(examples),
        rows_(rows),
        width_(width),
        chunks_(std::max<int64_t>(1, (examples + kExamples - 1) / kExamples)),
        block_(std::max<int64_t>(1, kNumbers / std::max<int64_t>(1, width))),
        blocks_((rows + block_ - 1) / block_),
        sums_(chunks_ * rows * width, 0.0f) {}

  int64_t tasks() const { return chunks_ * blocks_; }

  // Calls work(task, first example, end of examples, first row, end of rows, sums) for all tasks. `sums` are those of
  // the first row, for the work to add to.
  template <class Work>
  void run(const Work& work) {
    torch::stable::parallel_for(0, tasks(), 1, [&](int64_t begin, int64_t end) {
      for (int64_t task = begin; task < end; ++task) {
        const int64_t chunk = task / blocks_, first = task % blocks_ * block_;
        work(task, chunk * kExamples, std::min(examples_, (chunk + 1) * kExamples), first,
             std::min(rows_, first + block_), sums_.data() + (chunk * rows_ + first) * width_);
      }
    });
  }

  template <class T>
  void write(T* out) const {
    const int64_t count = rows_ * width_;
    for (int64_t i = 0; i < count; ++i) {
      float sum = sums_[i];
      for (int64_t chunk = 1; chunk < chunks_; ++chunk) sum += sums_[chunk * count + i];
      out[i] = narrow<T>(sum);
    }
  }

 private:
  int64_t examples_, rows_, width_, chunks_, block_, blocks_;
  std::vector<float> sums_;
};

// A sum of rows of `width` numbers over all tasks of a `BatchSum`, each of which has a row to add to; the order does not
// depend on the number of threads.
class TaskSum {
 public:
  TaskSum(int64_t tasks, int64_t width) : tasks_(tasks), width_(width), sums_(tasks * width, 0.0f) {}

  float* of(int64_t task) { return sums_.data() + task * width_; }

  void write(float* out) const {
    for (int64_t i = 0; i < width_; ++i) {
      float sum = 0.0f;
      for (int64_t task = 0; task < tasks_; ++task) sum += sums_[task * width_ + i];
      out[i] = sum;
    }
  }

 private:
  int64_t tasks_, width_;
  std::vector<float> sums_;
};
