// Layer norm with the gains of all its readers: y_i = (n · w + b) · g_i with n = (x - mean) / sigma (Ba et al. 2016,
// arXiv 1607.06450). One pass forward and one backward, whatever the number of readers; only each row's mean and 1 /
// sigma are kept.
#pragma once

#include "tensors.h"

using Tensors = std::vector<Tensor>;

inline Tensors contiguous(Tensors tensors) {
  for (Tensor& tensor : tensors) tensor = torch::stable::contiguous(tensor);
  return tensors;
}

inline void check_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, const Tensors& gains) {
  const int64_t width = weight.numel();
  bool fits = !gains.empty() && x.dim() == 3 && x.size(2) == width && bias.numel() == width &&
              weight.scalar_type() == ScalarType::Float && bias.scalar_type() == ScalarType::Float;
  for (const Tensor& gain : gains) {
    fits = fits && gain.dim() == 2 && gain.size(0) == x.size(1) && gain.size(1) == width &&
           gain.scalar_type() == gains[0].scalar_type();
  }
  STD_TORCH_CHECK(fits, "norm_gains takes examples x rows x width, weight and bias in float32, and gains rows x width");
}

template <class T>
std::vector<const T*> all_values(const Tensors& tensors) {
  std::vector<const T*> result;
  for (const Tensor& tensor : tensors) result.push_back(values<T>(tensor));
  return result;
}

// Calls work(x's type, gains' type).
template <class Work>
void by_types(const Tensor& x, const Tensor& gain, const Work& work) {
  by_type(x, [&](auto wide) { by_type(gain, [&](auto kind) { work(wide, kind); }); });
}

template <class X>
inline void write_normal(const X* x, float mean, float scale, const float* w, const float* b, int64_t width, float* h) {
#pragma omp simd
  for (int64_t k = 0; k < width; ++k) h[k] = (widen(x[k]) - mean) * scale * w[k] + b[k];
}

template <class T>
inline void write_product(const float* h, const T* g, int64_t width, T* y) {
#pragma omp simd
  for (int64_t k = 0; k < width; ++k) y[k] = narrow<T>(h[k] * widen(g[k]));
}

// Returns the products, and mean and 1 / sigma of each row: examples × rows × 2.
inline std::tuple<Tensors, Tensor> norm_gains(Tensor x, Tensor weight, Tensor bias, Tensors gains, double eps) {
  x = torch::stable::contiguous(x);
  weight = torch::stable::contiguous(weight);
  bias = torch::stable::contiguous(bias);
  gains = contiguous(gains);
  check_norm(x, weight, bias, gains);
  const int64_t rows = x.size(1), width = x.size(2), count = gains.size();
  Tensors outs;
  for (const Tensor& gain : gains) outs.push_back(torch::stable::new_empty(gain, {x.size(0), rows, width}));
  Tensor statistics = torch::stable::new_empty(weight, {x.size(0), rows, 2});
  by_types(x, gains[0], [&](auto wide, auto kind) {
    using X = decltype(wide);
    using T = decltype(kind);
    const X* in = values<X>(x);
    const float *w = values<float>(weight), *b = values<float>(bias);
    const std::vector<const T*> g = all_values<T>(gains);
    std::vector<T*> y;
    for (Tensor& out : outs) y.push_back(output<T>(out));
    float* kept = output<float>(statistics);
    const int64_t grain = std::max<int64_t>(1, 16384 / std::max<int64_t>(1, width));
    torch::stable::parallel_for(0, x.size(0) * rows, grain, [&](int64_t begin, int64_t end) {
      std::vector<float> h(width);
      float mean[kRowsAtOnce], variance[kRowsAtOnce];
      for (int64_t first = begin; first < end; first += kRowsAtOnce) {
        const int64_t some = std::min(kRowsAtOnce, end - first);
        const X* from = in + first * width;
        sums_of_rows(some, width, [=](int64_t row, int64_t k) { return widen(from[row * width + k]); }, mean);
        for (int64_t row = 0; row < some; ++row) mean[row] /= width;
        const float* means = mean;
        const auto square = [=](int64_t row, int64_t k) {
          const float off = widen(from[row * width + k]) - means[row];
          return off * off;
        };
        sums_of_rows(some, width, square, variance);
        for (int64_t row = 0; row < some; ++row) {
          const int64_t at = first + row;
          kept[2 * at] = mean[row];
          kept[2 * at + 1] = 1.0f / std::sqrt(variance[row] / width + static_cast<float>(eps));
        }
        for (int64_t row = first; row < first + some; ++row) {
          write_normal(in + row * width, kept[2 * row], kept[2 * row + 1], w, b, width, h.data());
          for (int64_t i = 0; i < count; ++i) {
            write_product(h.data(), g[i] + row % rows * width, width, y[i] + row * width);
          }
        }
      }
    });
  });
  return {outs, statistics};
}

// With dh = sum over i of dy_i · g_i and dn = dh · w: dx = (dn - mean(dn) - n · mean(dn · n)) / sigma; dg_i, dw and db
// are sums of dy_i · (n · w + b), dh · n and dh. The products are returned, too, for the gradients of their readers.
inline std::tuple<Tensor, Tensor, Tensor, Tensors, Tensors> norm_gains_backward(Tensors grads, Tensor x,
                                                                                Tensor statistics, Tensor weight,
                                                                                Tensor bias, Tensors gains) {
  x = torch::stable::contiguous(x);
  weight = torch::stable::contiguous(weight);
  bias = torch::stable::contiguous(bias);
  grads = contiguous(grads);
  gains = contiguous(gains);
  check_norm(x, weight, bias, gains);
  const int64_t examples = x.size(0), rows = x.size(1), width = x.size(2), count = gains.size();
  STD_TORCH_CHECK(grads.size() == gains.size(), "norm_gains: wrong grads");
  Tensor grad_x = torch::stable::empty_like(x), grad_weight = torch::stable::empty_like(weight);
  Tensor grad_bias = torch::stable::empty_like(bias);
  Tensors grad_gains, products;
  for (int64_t i = 0; i < count; ++i) {
    STD_TORCH_CHECK(grads[i].numel() == x.numel() && grads[i].scalar_type() == gains[i].scalar_type(),
                    "norm_gains: wrong grads");
    grad_gains.push_back(torch::stable::empty_like(gains[i]));
    products.push_back(torch::stable::new_empty(gains[i], {examples, rows, width}));
  }
  by_types(x, gains[0], [&](auto wide, auto kind) {
    using X = decltype(wide);
    using T = decltype(kind);
    const X* in = values<X>(x);
    const float *w = values<float>(weight), *b = values<float>(bias), *kept = values<float>(statistics);
    const std::vector<const T*> g = all_values<T>(gains), given = all_values<T>(grads);
    X* out = output<X>(grad_x);
    std::vector<T*> y;
    for (Tensor& product : products) y.push_back(output<T>(product));
    // Of each row: the sums of all gains, then those of weight and bias
    const int64_t sums_of_row = (count + 2) * width;
    BatchSum sum(examples, rows, sums_of_row);
    sum.run([&](int64_t, int64_t example, int64_t last, int64_t first, int64_t end, float* sums) {
      std::vector<float> buffer(2 * kRowsAtOnce * width);
      float *n_all = buffer.data(), *dh_all = n_all + kRowsAtOnce * width;
      float level[kRowsAtOnce], along[kRowsAtOnce];
      for (; example < last; ++example) {
        for (int64_t top = first; top < end; top += kRowsAtOnce) {
          const int64_t some = std::min(kRowsAtOnce, end - top);
          for (int64_t r = top; r < top + some; ++r) {
            const int64_t row = example * rows + r;
            const X* from = in + row * width;
            float *n = n_all + (r - top) * width, *dh = dh_all + (r - top) * width;
            float *dg = sums + (r - first) * sums_of_row, *dw = dg + count * width, *db = dw + width;
            const float mean = kept[2 * row], scale = kept[2 * row + 1];
#pragma omp simd
            for (int64_t k = 0; k < width; ++k) {
              n[k] = (widen(from[k]) - mean) * scale;
              dh[k] = 0.0f;
            }
            for (int64_t i = 0; i < count; ++i, dg += width) {
              const T *dy = given[i] + row * width, *gain = g[i] + r * width;
              T* product = y[i] + row * width;
#pragma omp simd
              for (int64_t k = 0; k < width; ++k) {
                const float d = widen(dy[k]), h = n[k] * w[k] + b[k], factor = widen(gain[k]);
                product[k] = narrow<T>(h * factor);
                dg[k] += d * h;
                dh[k] += d * factor;
              }
            }
#pragma omp simd
            for (int64_t k = 0; k < width; ++k) {
              dw[k] += dh[k] * n[k];
              db[k] += dh[k];
              dh[k] *= w[k];
            }
          }
          sums_of_rows(some, width, [=](int64_t row, int64_t k) { return dh_all[row * width + k]; }, level);
          const auto product = [=](int64_t row, int64_t k) { return dh_all[row * width + k] * n_all[row * width + k]; };
          sums_of_rows(some, width, product, along);
          for (int64_t r = 0; r < some; ++r) {
            const int64_t row = example * rows + top + r;
            const float *n = n_all + r * width, *dh = dh_all + r * width;
            const float scale = kept[2 * row + 1], both = level[r] / width, own = along[r] / width;
            X* dx = out + row * width;
#pragma omp simd
            for (int64_t k = 0; k < width; ++k) dx[k] = narrow<X>(scale * (dh[k] - both - n[k] * own));
          }
        }
      }
    });
    std::vector<float> total(rows * sums_of_row);
    sum.write(total.data());
    for (int64_t i = 0; i < count; ++i) {
      T* dg = output<T>(grad_gains[i]);
      for (int64_t row = 0; row < rows; ++row) {
        const float* from = total.data() + row * sums_of_row + i * width;
#pragma omp simd
        for (int64_t k = 0; k < width; ++k) dg[row * width + k] = narrow<T>(from[k]);
      }
    }
    // There may be thousands of rows, where each example has gains of its own: hence in double
    std::vector<double> both(2 * width, 0.0);
    for (int64_t row = 0; row < rows; ++row) {
      const float* from = total.data() + row * sums_of_row + count * width;
#pragma omp simd
      for (int64_t k = 0; k < 2 * width; ++k) both[k] += from[k];
    }
    std::copy(both.begin(), both.begin() + width, output<float>(grad_weight));
    std::copy(both.begin() + width, both.end(), output<float>(grad_bias));
  });
  return {grad_x, grad_weight, grad_bias, grad_gains, products};
}
