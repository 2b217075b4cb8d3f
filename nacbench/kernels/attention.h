// Attention between few rows with a bias that all heads share: softmax(q · k / sqrt(D) + bias) · v (Vaswani et al. 2017,
// arXiv 1706.03762). One pass each way over queries, keys and values as linear layers return them, B × U × H D. All
// that is U × V stays in the cache; the backward pass computes the weights again.
#pragma once

#include <cmath>

#include "products.h"
#include "softmax.h"
#include "tensors.h"

struct AttentionSizes {
  int64_t batch, heads, rows, columns, depth;
  int64_t step() const { return heads * depth; }            // from a row of a tensor to the next
  int64_t wide() const { return whole_vectors(columns); }  // width of U × V in the cache
  int64_t deep() const { return whole_vectors(depth); }    // width of U × D and V × D in the cache
};

inline AttentionSizes attention_sizes(const Tensor& query, const Tensor& key, const Tensor& value, const Tensor& bias,
                                      int64_t heads) {
  const bool fits = query.dim() == 3 && key.dim() == 3 && value.dim() == 3 && bias.dim() == 3 && heads > 0 &&
                    query.size(2) % heads == 0 && key.size(0) == query.size(0) && key.size(2) == query.size(2) &&
                    value.size(0) == key.size(0) && value.size(1) == key.size(1) && value.size(2) == key.size(2) &&
                    (bias.size(0) == 1 || bias.size(0) == query.size(0)) && bias.size(1) == query.size(1) &&
                    bias.size(2) == key.size(1) && query.scalar_type() == key.scalar_type() &&
                    query.scalar_type() == value.scalar_type() && bias.scalar_type() == ScalarType::Float;
  STD_TORCH_CHECK(fits, "biased_attention takes B x U x H D and twice B x V x H D of one type, and (1 or B) x U x V in "
                        "float32");
  return {query.size(0), heads, query.size(1), key.size(1), query.size(2) / heads};
}

template <class T>
inline void read_rows(const T* from, int64_t step, int64_t rows, int64_t width, float* to, int64_t to_step) {
  for (int64_t row = 0; row < rows; ++row) {
#pragma omp simd
    for (int64_t i = 0; i < width; ++i) to[row * to_step + i] = widen(from[row * step + i]);
  }
}

template <class T>
inline void read_turned(const T* from, int64_t step, int64_t rows, int64_t width, float* to, int64_t to_step) {
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t i = 0; i < width; ++i) to[i * to_step + row] = widen(from[row * step + i]);
  }
}

template <class T>
inline void write_rows(const float* from, int64_t step, int64_t rows, int64_t width, float factor, T* to,
                       int64_t to_step) {
  for (int64_t row = 0; row < rows; ++row) {
#pragma omp simd
    for (int64_t i = 0; i < width; ++i) to[row * to_step + i] = narrow<T>(factor * from[row * step + i]);
  }
}

// The weights of one head at a time.
class HeadWeights {
 public:
  explicit HeadWeights(const AttentionSizes& sizes)
      : n_(sizes),
        scale_(1.0f / std::sqrt(static_cast<float>(sizes.depth))),
        query_(n_.rows * n_.deep()),
        turned_key_(n_.depth * n_.wide()),
        // Columns that are filled up get no weight
        bias_(n_.rows * n_.wide(), -std::numeric_limits<float>::infinity()),
        weights_(n_.rows * n_.wide()) {}

  float scale() const { return scale_; }
  const float* query() const { return query_.data(); }

  // U × V, of an example.
  void read_bias(const float* bias) {
    read_rows(bias, n_.columns, n_.rows, n_.columns, bias_.data(), n_.wide());
  }

  // Returns U × V, with rows of n.wide() numbers.
  template <class T>
  const float* of(const T* query, const T* key) {
    read_rows(query, n_.step(), n_.rows, n_.depth, query_.data(), n_.deep());
    read_turned(key, n_.step(), n_.columns, n_.depth, turned_key_.data(), n_.wide());
    float* p = weights_.data();
    product(query_.data(), n_.deep(), 1, turned_key_.data(), n_.rows, n_.depth, n_.wide(), p);
    softmax_rows(p, bias_.data(), scale_, n_.rows, n_.wide(), p, p);
    return p;
  }

 private:
  AttentionSizes n_;
  float scale_;
  std::vector<float> query_, turned_key_, bias_, weights_;
};

// query: B × U × H D; key, value: B × V × H D; bias: (1 or B) × U × V in float32.
inline Tensor biased_attention(Tensor query, Tensor key, Tensor value, Tensor bias, int64_t heads) {
  query = torch::stable::contiguous(query);
  key = torch::stable::contiguous(key);
  value = torch::stable::contiguous(value);
  bias = torch::stable::contiguous(bias);
  const AttentionSizes n = attention_sizes(query, key, value, bias, heads);
  Tensor out = torch::stable::empty_like(query);
  by_type(query, [&](auto kind) {
    using T = decltype(kind);
    const T *queries = values<T>(query), *keys = values<T>(key), *all_values = values<T>(value);
    const float* biases = values<float>(bias);
    const int64_t bias_step = bias.size(0) == 1 ? 0 : n.rows * n.columns;
    T* to = output<T>(out);
    torch::stable::parallel_for(0, n.batch, 1, [&](int64_t begin, int64_t end) {
      HeadWeights weights(n);
      std::vector<float> v(n.columns * n.deep()), y(n.rows * n.deep());
      for (int64_t example = begin; example < end; ++example) {
        weights.read_bias(biases + example * bias_step);
        for (int64_t head = 0; head < n.heads; ++head) {
          const int64_t at = example * n.rows * n.step() + head * n.depth;
          const int64_t at_key = example * n.columns * n.step() + head * n.depth;
          const float* p = weights.of(queries + at, keys + at_key);
          read_rows(all_values + at_key, n.step(), n.columns, n.depth, v.data(), n.deep());
          product(p, n.wide(), 1, v.data(), n.rows, n.columns, n.deep(), y.data());
          write_rows(y.data(), n.deep(), n.rows, n.depth, 1.0f, to + at, n.step());
        }
      }
    });
  });
  return out;
}

// d = p · (dp - sum over v of p · dp), in place of dp, and added to the sums.
inline void score_gradients(const float* p, int64_t rows, int64_t width, float* dp, float* sums) {
  for (int64_t first = 0; first < rows * width; first += width) {
    const float along = sum_of(width, [=](int64_t v) { return p[first + v] * dp[first + v]; });
#pragma omp simd
    for (int64_t v = first; v < first + width; ++v) {
      dp[v] = p[v] * (dp[v] - along);
      sums[v] += dp[v];
    }
  }
}

// With dy: dp = dy · v', d as above, dq = d · k / sqrt(D), dk = d' · q / sqrt(D), dv = p' · dy, and dbias = sum of d over
// heads, and over the batch if it shares one bias.
inline std::tuple<Tensor, Tensor, Tensor, Tensor> biased_attention_backward(Tensor grad, Tensor query, Tensor key,
                                                                            Tensor value, Tensor bias, int64_t heads) {
  grad = torch::stable::contiguous(grad);
  query = torch::stable::contiguous(query);
  key = torch::stable::contiguous(key);
  value = torch::stable::contiguous(value);
  bias = torch::stable::contiguous(bias);
  const AttentionSizes n = attention_sizes(query, key, value, bias, heads);
  STD_TORCH_CHECK(grad.numel() == query.numel() && grad.scalar_type() == query.scalar_type(),
                  "biased_attention: wrong grad");
  Tensor grad_query = torch::stable::empty_like(query), grad_key = torch::stable::empty_like(key);
  Tensor grad_value = torch::stable::empty_like(value), grad_bias = torch::stable::empty_like(bias);
  by_type(query, [&](auto kind) {
    using T = decltype(kind);
    const T *queries = values<T>(query), *keys = values<T>(key), *all_values = values<T>(value);
    const T* grads = values<T>(grad);
    const float* biases = values<float>(bias);
    T *to_query = output<T>(grad_query), *to_key = output<T>(grad_key), *to_value = output<T>(grad_value);
    float* to_bias = output<float>(grad_bias);
    // Examples that share a bias are cut into chunks, whose sums are added in their order
    const bool shared = bias.size(0) == 1;
    const int64_t links = n.rows * n.columns, size = shared ? BatchSum::kExamples : 1;
    const int64_t chunks = (n.batch + size - 1) / size;
    TaskSum sums(shared ? chunks : 0, links);
    torch::stable::parallel_for(0, chunks, 1, [&](int64_t begin, int64_t end) {
      HeadWeights weights(n);
      std::vector<float> k(n.columns * n.deep()), turned_v(n.depth * n.wide()), dy(n.rows * n.deep());
      std::vector<float> d(n.rows * n.wide()), dx(std::max(n.rows, n.columns) * n.deep());
      for (int64_t chunk = begin; chunk < end; ++chunk) {
        std::vector<float> sum(n.rows * n.wide());
        for (int64_t example = chunk * size; example < std::min(n.batch, (chunk + 1) * size); ++example) {
          weights.read_bias(biases + (shared ? 0 : example * links));
          for (int64_t head = 0; head < n.heads; ++head) {
            const int64_t at = example * n.rows * n.step() + head * n.depth;
            const int64_t at_key = example * n.columns * n.step() + head * n.depth;
            const float* p = weights.of(queries + at, keys + at_key);
            read_rows(keys + at_key, n.step(), n.columns, n.depth, k.data(), n.deep());
            read_turned(all_values + at_key, n.step(), n.columns, n.depth, turned_v.data(), n.wide());
            read_rows(grads + at, n.step(), n.rows, n.depth, dy.data(), n.deep());
            product(p, 1, n.wide(), dy.data(), n.columns, n.rows, n.deep(), dx.data());
            write_rows(dx.data(), n.deep(), n.columns, n.depth, 1.0f, to_value + at_key, n.step());
            product(dy.data(), n.deep(), 1, turned_v.data(), n.rows, n.depth, n.wide(), d.data());
            score_gradients(p, n.rows, n.wide(), d.data(), sum.data());
            product(d.data(), n.wide(), 1, k.data(), n.rows, n.columns, n.deep(), dx.data());
            write_rows(dx.data(), n.deep(), n.rows, n.depth, weights.scale(), to_query + at, n.step());
            product(d.data(), 1, n.wide(), weights.query(), n.columns, n.rows, n.deep(), dx.data());
            write_rows(dx.data(), n.deep(), n.columns, n.depth, weights.scale(), to_key + at_key, n.step());
          }
        }
        float* to = shared ? sums.of(chunk) : to_bias + chunk * links;
        write_rows(sum.data(), n.wide(), n.rows, n.columns, 1.0f, to, n.columns);
      }
    });
    if (shared) sums.write(to_bias);
  });
  return {grad_query, grad_key, grad_value, grad_bias};
}
