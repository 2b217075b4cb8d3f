// GEGLU with bias and gain: y = a · gelu(b) · g, where (a, b) is the hidden layer with its bias, and gelu(b) = b Phi(b)
// (Shazeer 2020, arXiv 2002.05202; Hendrycks and Gimpel 2016, arXiv 1606.08415). One pass forward and one backward; the
// backward pass computes gelu again, so that nothing but the inputs is kept.
#pragma once

#include "tensors.h"

inline void check_geglu(const Tensor& hidden, const Tensor& bias, const Tensor& gain) {
  STD_TORCH_CHECK(hidden.dim() == 3 && gain.dim() == 2 && hidden.size(1) == gain.size(0) &&
                      hidden.size(2) == 2 * gain.size(1) && hidden.scalar_type() == gain.scalar_type() &&
                      bias.dim() == 1 && bias.size(0) == hidden.size(2) && bias.scalar_type() == ScalarType::Float,
                  "geglu takes examples x rows x 2 width and rows x width of one type, and 2 width in float32");
}

// hidden: examples × rows × 2 width, (a, b) in each row without their bias; bias: 2 width; gain: rows × width.
inline Tensor geglu(Tensor hidden, Tensor bias, Tensor gain) {
  hidden = torch::stable::contiguous(hidden);
  bias = torch::stable::contiguous(bias);
  gain = torch::stable::contiguous(gain);
  check_geglu(hidden, bias, gain);
  const int64_t rows = gain.size(0), width = gain.size(1), all = hidden.size(0) * rows;
  Tensor out = torch::stable::new_empty(hidden, {hidden.size(0), rows, width});
  by_type(hidden, [&](auto kind) {
    using T = decltype(kind);
    const T *in = values<T>(hidden), *gains = values<T>(gain);
    const float *bias_a = values<float>(bias), *bias_b = bias_a + width;
    T* result = output<T>(out);
    const int64_t grain = std::max<int64_t>(1, 16384 / std::max<int64_t>(1, width));
    torch::stable::parallel_for(0, all, grain, [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) {
        const T *a = in + row * 2 * width, *b = a + width, *g = gains + row % rows * width;
        T* y = result + row * width;
#pragma omp simd
        for (int64_t k = 0; k < width; ++k) {
          const float gate = widen(b[k]) + bias_b[k];
          y[k] = narrow<T>((widen(a[k]) + bias_a[k]) * (gate * normal(gate).below) * widen(g[k]));
        }
      }
    });
  });
  return out;
}

// With dy: da = dy · g · gelu(b), db = dy · g · a · (Phi(b) + b phi(b)), dg = sum over examples of dy · a · gelu(b), and
// the gradient of the bias is the sum of (da, db) over examples and rows.
inline std::tuple<Tensor, Tensor, Tensor> geglu_backward(Tensor grad, Tensor hidden, Tensor bias, Tensor gain) {
  grad = torch::stable::contiguous(grad);
  hidden = torch::stable::contiguous(hidden);
  bias = torch::stable::contiguous(bias);
  gain = torch::stable::contiguous(gain);
  check_geglu(hidden, bias, gain);
  STD_TORCH_CHECK(grad.numel() * 2 == hidden.numel() && grad.scalar_type() == hidden.scalar_type(),
                  "geglu: wrong grad");
  const int64_t rows = gain.size(0), width = gain.size(1), examples = hidden.size(0);
  Tensor grad_hidden = torch::stable::empty_like(hidden), grad_gain = torch::stable::empty_like(gain);
  Tensor grad_bias = torch::stable::empty_like(bias);
  by_type(hidden, [&](auto kind) {
    using T = decltype(kind);
    const T *in = values<T>(hidden), *gains = values<T>(gain), *grads = values<T>(grad);
    const float *bias_a = values<float>(bias), *bias_b = bias_a + width;
    T* out = output<T>(grad_hidden);
    BatchSum sum(examples, rows, width);
    TaskSum bias_sum(sum.tasks(), 2 * width);
    sum.run([&](int64_t task, int64_t example, int64_t last, int64_t first, int64_t end, float* sums) {
      float *sum_a = bias_sum.of(task), *sum_b = sum_a + width;
      for (; example < last; ++example) {
        for (int64_t r = first; r < end; ++r) {
          const int64_t row = example * rows + r;
          const T *a = in + row * 2 * width, *b = a + width, *g = gains + r * width, *dy = grads + row * width;
          T *da = out + row * 2 * width, *db = da + width;
          float* dg = sums + (r - first) * width;
#pragma omp simd
          for (int64_t k = 0; k < width; ++k) {
            const float value = widen(a[k]) + bias_a[k], gate = widen(b[k]) + bias_b[k], dout = widen(dy[k]);
            const Normal at = normal(gate);
            const float active = gate * at.below, scaled = dout * widen(g[k]);
            const float grad_a = scaled * active, grad_b = scaled * value * (at.below + gate * at.density);
            dg[k] += dout * value * active;
            sum_a[k] += grad_a;
            sum_b[k] += grad_b;
            da[k] = narrow<T>(grad_a);
            db[k] = narrow<T>(grad_b);
          }
        }
      }
    });
    sum.write(output<T>(grad_gain));
    bias_sum.write(output<float>(grad_bias));
  });
  return {grad_hidden, grad_bias, grad_gain};
}
