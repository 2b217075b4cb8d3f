// Attention weights p = softmax(scale · s + bias) over the last axis, with a bias that all heads share; one pass each
// way.
#pragma once

#include "tensors.h"

// Some rows; each step is done for all of them before the next, so that vector loops are long where rows are short.
template <class T>
inline void softmax_rows(const T* s, const float* c, float factor, int64_t rows, int64_t width, float* x, T* p) {
  const float lowest = -std::numeric_limits<float>::infinity();
  for (int64_t row = 0; row < rows; ++row) {
    const int64_t first = row * width;
    float most = lowest;
#pragma omp simd reduction(max : most)
    for (int64_t v = first; v < first + width; ++v) {
      x[v] = factor * widen(s[v]) + c[v];
      most = x[v] > most ? x[v] : most;
    }
    // NaN is no maximum, but stays NaN in its own difference, and so in the sum and in the whole row
#pragma omp simd
    for (int64_t v = first; v < first + width; ++v) x[v] -= most;
  }
#pragma omp simd
  for (int64_t v = 0; v < rows * width; ++v) x[v] = exp_of_negative(x[v]);
  for (int64_t row = 0; row < rows; ++row) {
    const int64_t first = row * width;
    const float share = 1.0f / sum_of(width, [x, first](int64_t v) { return x[first + v]; });
#pragma omp simd
    for (int64_t v = first; v < first + width; ++v) p[v] = narrow<T>(x[v] * share);
  }
}

// scores: B × H × U × V; bias: (1 or B) × U × V in float32.
inline Tensor biased_softmax(Tensor scores, Tensor bias, double scale) {
  scores = torch::stable::contiguous(scores);
  bias = torch::stable::contiguous(bias);
  STD_TORCH_CHECK(scores.dim() == 4 && bias.dim() == 3 && (bias.size(0) == 1 || bias.size(0) == scores.size(0)) &&
                      bias.size(1) == scores.size(2) && bias.size(2) == scores.size(3) &&
                      bias.scalar_type() == ScalarType::Float,
                  "biased_softmax takes B x H x U x V and (1 or B) x U x V in float32");
  const int64_t heads = scores.size(1), rows = scores.size(2), width = scores.size(3);
  const int64_t batch = scores.size(0), biases = bias.size(0);
  Tensor out = torch::stable::empty_like(scores);
  by_type(scores, [&](auto kind) {
    using T = decltype(kind);
    const T* in = values<T>(scores);
    const float *added = values<float>(bias), factor = static_cast<float>(scale);
    T* result = output<T>(out);
    // A task is one head of one example, so that a bias is looked up once for all its rows
    const int64_t grain = std::max<int64_t>(1, 16384 / std::max<int64_t>(1, rows * width));
    torch::stable::parallel_for(0, batch * heads, grain, [&](int64_t begin, int64_t end) {
      const int64_t block = std::max<int64_t>(1, 2048 / std::max<int64_t>(1, width));
      std::vector<float> buffer(block * width);
      for (int64_t head = begin; head < end; ++head) {
        const float* c = added + (biases == 1 ? 0 : head / heads) * rows * width;
        for (int64_t row = 0; row < rows; row += block) {
          const int64_t at = (head * rows + row) * width, count = std::min(block, rows - row);
          softmax_rows(in + at, c + row * width, factor, count, width, buffer.data(), result + at);
        }
      }
    });
  });
  return out;
}

// With dp: d = p · (dp - sum over v of p · dp); ds = scale · d, and dbias = sum of d over heads, and over the batch
// if it shares one bias. `biases` is 1 or B.
inline std::tuple<Tensor, Tensor> biased_softmax_backward(Tensor grad, Tensor weights, double scale, int64_t biases) {
  grad = torch::stable::contiguous(grad);
  weights = torch::stable::contiguous(weights);
  STD_TORCH_CHECK(weights.dim() == 4 && grad.numel() == weights.numel() &&
                      grad.scalar_type() == weights.scalar_type() &&
                      (biases == 1 || biases == weights.size(0)),
                  "biased_softmax: wrong grad");
  const int64_t batch = weights.size(0), heads = weights.size(1), rows = weights.size(2), width = weights.size(3);
  Tensor grad_scores = torch::stable::empty_like(weights);
  Tensor grad_bias = torch::stable::new_empty(weights, {biases, rows, width}, ScalarType::Float);
  by_type(weights, [&](auto kind) {
    using T = decltype(kind);
    const T *given = values<T>(grad), *p_all = values<T>(weights);
    T* out = output<T>(grad_scores);
    const float factor = static_cast<float>(scale);
    // A bias for each example: all examples' rows follow each other, and the sum is over heads only
    const bool shared = biases == 1;
    BatchSum sum(shared ? batch : 1, shared ? rows : batch * rows, width);
    sum.run([&](int64_t, int64_t example, int64_t last, int64_t first, int64_t end, float* sums) {
      for (; example < last; ++example) {
        for (int64_t r = first; r < end; ++r) {
          const int64_t b = shared ? example : r / rows, u = shared ? r : r % rows;
          float* dc = sums + (r - first) * width;
          for (int64_t h = 0; h < heads; ++h) {
            const int64_t offset = ((b * heads + h) * rows + u) * width;
            const T *p = p_all + offset, *dp = given + offset;
            T* ds = out + offset;
            const float along = sum_of(width, [p, dp](int64_t v) { return widen(p[v]) * widen(dp[v]); });
#pragma omp simd
            for (int64_t v = 0; v < width; ++v) {
              const float d = widen(p[v]) * (widen(dp[v]) - along);
              dc[v] += d;
              ds[v] = narrow<T>(factor * d);
            }
          }
        }
      }
    });
    sum.write(output<float>(grad_bias));
  });
  return {grad_scores, grad_bias};
}
