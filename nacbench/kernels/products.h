// Products of small matrices that lie in the cache, in float32; rows are filled up with zeros to whole vectors.
#pragma once

#include <cstdint>
#include <cstring>

constexpr int64_t kVector = 16;
using Vector = float __attribute__((vector_size(kVector * sizeof(float))));

inline int64_t whole_vectors(int64_t width) { return (width + kVector - 1) / kVector * kVector; }

// kRows rows of a · b, whose sums stay in registers; for the arguments see `product`.
template <int kRows>
inline void product_rows(const float* a, int64_t row_step, int64_t step, const float* b, int64_t depth, int64_t width,
                         float* out) {
  for (int64_t first = 0; first < width; first += kVector) {
    Vector sums[kRows] = {};
    for (int64_t k = 0; k < depth; ++k) {
      Vector x;
      std::memcpy(&x, b + k * width + first, sizeof x);
      for (int row = 0; row < kRows; ++row) sums[row] += a[row * row_step + k * step] * x;
    }
    for (int row = 0; row < kRows; ++row) std::memcpy(out + row * width + first, &sums[row], sizeof(Vector));
  }
}

// out = a · b: rows × depth times depth × width, which is a multiple of kVector. `a` has any two steps, so that it can
// be a transposed matrix; rows of b and out follow each other.
inline void product(const float* a, int64_t row_step, int64_t step, const float* b, int64_t rows, int64_t depth,
                    int64_t width, float* out) {
  constexpr int kAtOnce = 8;  // as many as multiply-adds that a processor has begun and not finished
  int64_t row = 0;
  for (; row + kAtOnce <= rows; row += kAtOnce) {
    product_rows<kAtOnce>(a + row * row_step, row_step, step, b, depth, width, out + row * width);
  }
  for (; row < rows; ++row) product_rows<1>(a + row * row_step, row_step, step, b, depth, width, out + row * width);
}
