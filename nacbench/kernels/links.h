// Relaxed Bernoulli links (Maddison et al. 2017, arXiv 1611.00712): log K = log sigmoid((logit P + logit n) / tau), one
// pass each way.
#pragma once

#include "tensors.h"

// log(x) for positive normal numbers; relative error 2e-7.
//
// With x = 2^e m and m in [sqrt(1/2), sqrt(2)): log m = 2 artanh((m - 1) / (m + 1)), by its Taylor series.
inline float log_of_positive(float x) {
  const int32_t bits = std::bit_cast<int32_t>(x);
  const int32_t power = (bits - 0x3f3504f3) >> 23;  // the bits of sqrt(1/2)
  const float m = std::bit_cast<float>(bits - power * (1 << 23));
  const float s = (m - 1.0f) / (m + 1.0f), z = s * s, e = static_cast<float>(power);
  float y = 1.0f / 9;
  y = y * z + 1.0f / 7;
  y = y * z + 1.0f / 5;
  y = y * z + 1.0f / 3;
  // log 2 in two parts, of which the first times e is exact
  return e * 0.693359375f + (2.0f * s + (2.0f * s * (z * y) + e * -2.12194440e-4f));
}

// log(1 + x) for x in [0, 1]; relative error 2e-7. The same series.
inline float log_of_one_and(float x) {
  const float s = x / (2.0f + x), z = s * s;
  float y = 1.0f / 13;
  y = y * z + 1.0f / 11;
  y = y * z + 1.0f / 9;
  y = y * z + 1.0f / 7;
  y = y * z + 1.0f / 5;
  y = y * z + 1.0f / 3;
  return 2.0f * s + 2.0f * s * (z * y);
}

// 1 - exp(x) for x <= 0; relative error 3e-7: near zero by the Taylor series, where the difference has few digits.
inline float one_less_exp(float x) {
  float y = 1.0f / 40320;
  y = y * x + 1.0f / 5040;
  y = y * x + 1.0f / 720;
  y = y * x + 1.0f / 120;
  y = y * x + 1.0f / 24;
  y = y * x + 1.0f / 6;
  y = y * x + 0.5f;
  const float difference = 1.0f - exp_of_negative(x);
  return x > -0.5f ? -(x + x * x * y) : difference;
}

// logit: (1 or B) × U × V; uniform: B × U × V.
inline Tensor log_links(Tensor logit, Tensor uniform, double temperature) {
  logit = torch::stable::contiguous(logit);
  uniform = torch::stable::contiguous(uniform);
  STD_TORCH_CHECK(logit.dim() == 3 && uniform.dim() == 3 && (logit.size(0) == 1 || logit.size(0) == uniform.size(0)) &&
                      logit.size(1) == uniform.size(1) && logit.size(2) == uniform.size(2) &&
                      logit.scalar_type() == ScalarType::Float && uniform.scalar_type() == ScalarType::Float,
                  "log_links takes (1 or B) x U x V and B x U x V in float32");
  const int64_t count = uniform.size(1) * uniform.size(2);
  const bool shared = logit.size(0) == 1;
  Tensor out = torch::stable::empty_like(uniform);
  const float *given = values<float>(logit), *noise = values<float>(uniform);
  const float factor = static_cast<float>(1 / temperature);
  float* result = output<float>(out);
  const int64_t grain = std::max<int64_t>(1, 16384 / std::max<int64_t>(1, count));
  torch::stable::parallel_for(0, uniform.size(0), grain, [&](int64_t begin, int64_t end) {
    for (int64_t example = begin; example < end; ++example) {
      const float *p = given + (shared ? 0 : example * count), *n = noise + example * count;
      float* y = result + example * count;
#pragma omp simd
      for (int64_t i = 0; i < count; ++i) {
        const float least = std::numeric_limits<float>::min();  // the noise can be 0, whose logit is infinite
        const float u = n[i] < least ? least : n[i];
        const float x = (p[i] + log_of_positive(u / (1.0f - u))) * factor;
        y[i] = (x < 0.0f ? x : 0.0f) - log_of_one_and(exp_of_negative(-std::fabs(x)));
      }
    }
  });
  return out;
}

// The gradient of the logit, summed over the batch if that shares one: with sigmoid(-x) = 1 - K it is dy · (1 - K) /
// tau.
inline Tensor log_links_backward(Tensor grad, Tensor links, double temperature, int64_t logits) {
  grad = torch::stable::contiguous(grad);
  links = torch::stable::contiguous(links);
  STD_TORCH_CHECK(grad.numel() == links.numel() && grad.scalar_type() == ScalarType::Float &&
                      (logits == 1 || logits == links.size(0)),
                  "log_links: wrong grad");
  const int64_t batch = links.size(0), rows = links.size(1), width = links.size(2);
  Tensor grad_logit = torch::stable::new_empty(links, {logits, rows, width});
  const float *given = values<float>(grad), *y = values<float>(links);
  const float factor = static_cast<float>(1 / temperature);
  // Where each example has logits of its own, their rows follow each other, and nothing is summed
  const bool shared = logits == 1;
  const int64_t lines = shared ? rows : batch * rows;
  BatchSum sum(shared ? batch : 1, lines, width);
  sum.run([&](int64_t, int64_t example, int64_t last, int64_t first, int64_t end, float* sums) {
    const int64_t count = (end - first) * width;
    for (; example < last; ++example) {
      const int64_t at = (example * lines + first) * width;
#pragma omp simd
      for (int64_t i = 0; i < count; ++i) sums[i] += factor * given[at + i] * one_less_exp(y[at + i]);
    }
  });
  sum.write(output<float>(grad_logit));
  return grad_logit;
}
