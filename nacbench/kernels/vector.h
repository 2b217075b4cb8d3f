// What all kernels compute with: numbers of the tensors, exp and the normal distribution, in loops that compilers
// turn into vector instructions (no branches, no library calls).
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

// A bfloat16 as it lies in memory; arithmetic is done in float.
struct Bf16 {
  uint16_t bits;
};

inline float widen(float x) { return x; }
inline float widen(Bf16 x) { return std::bit_cast<float>(static_cast<uint32_t>(x.bits) << 16); }

template <class T>
inline T narrow(float x);

template <>
inline float narrow<float>(float x) {
  return x;
}

// Rounds to the nearest, to even between two. Adding to the bits of a NaN could give infinity, so NaN is set apart.
template <>
inline Bf16 narrow<Bf16>(float x) {
  const uint32_t bits = std::bit_cast<uint32_t>(x);
  const uint32_t rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
  return {static_cast<uint16_t>(x != x ? 0x7fc0 : rounded)};
}

// exp(x) for x <= 0; relative error 2e-7, 0 below -87.3 (where float32 has subnormal numbers only), NaN for NaN.
//
// exp(x) = 2^n exp(r) with n = round(x / ln 2) and |r| <= ln 2 / 2; ln 2 is subtracted in two parts (Cody and Waite
// 1980, "Software Manual for the Elementary Functions", chapter 6), exp(r) is its Taylor series to the seventh power.
inline float exp_of_negative(float x) {
  const float lowest = -87.3f;
  const float bounded = x < lowest ? lowest : x;
  const float shift = 12582912.0f;  // 1.5 * 2^23: added to it, a number is rounded to an integer in its last bits
  const float shifted = bounded * 1.44269504f + shift;
  const float n = shifted - shift;
  const float r = (bounded - n * 0.693359375f) - n * -2.12194440e-4f;
  float y = 1.0f / 5040;
  y = y * r + 1.0f / 720;
  y = y * r + 1.0f / 120;
  y = y * r + 1.0f / 24;
  y = y * r + 1.0f / 6;
  y = y * r + 0.5f;
  y = y * r + 1.0f;
  y = y * r + 1.0f;
  const float power = std::bit_cast<float>((std::bit_cast<uint32_t>(shifted) << 23) + 0x3f800000u);
  return x < lowest ? 0.0f : y * power;
}

// The standard normal distribution at x.
struct Normal {
  float below;    // Phi(x)
  float density;  // phi(x)
};

// Phi and phi with one exp for both; relative error of Phi 4e-7 on the whole line.
//
// Phi(-z) = exp(-z^2 / 2) R(z) for z >= 0, where R (Mills' ratio over sqrt(2 pi)) is t times a polynomial in t = 1 /
// (1 + 0.35 z): the form of Abramowitz and Stegun 7.1.26, with the coefficients fitted to the smallest relative error
// for z in [0, 14], 3.2e-8. The formula of the book has an absolute error, 1.5e-7, and no correct digit in the tail.
inline Normal normal(float x) {
  const float z = std::fabs(x);
  const float t = 1.0f / (1.0f + 0.35f * z);
  float y = -2.914593895e-02f;
  y = y * t + 1.439717393e-01f;
  y = y * t - 2.557143386e-01f;
  y = y * t + 1.591742554e-01f;
  y = y * t - 2.310989991e-02f;
  y = y * t + 1.055080313e-01f;
  y = y * t + 1.198328607e-01f;
  y = y * t + 1.398618706e-01f;
  y = y * t + 1.396214042e-01f;
  const float bell = exp_of_negative(-0.5f * x * x);
  const float tail = bell * (y * t);
  return {x < 0.0f ? tail : 1.0f - tail, 0.398942280f * bell};
}

// The sum of value(0) … value(count - 1), in an order that a compiler can keep in vector instructions: 16 sums side
// by side, then these by halves. (For a reduction of OpenMP g++ adds the lanes one after another.)
template <class Value>
inline float sum_of(int64_t count, const Value& value) {
  constexpr int64_t kLanes = 16;
  float lanes[kLanes] = {};
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    for (int64_t lane = 0; lane < kLanes; ++lane) lanes[lane] += value(i + lane);
  }
  for (int64_t lane = 0; i + lane < count; ++lane) lanes[lane] += value(i + lane);
  for (int64_t half = kLanes / 2; half > 0; half /= 2) {
    for (int64_t lane = 0; lane < half; ++lane) lanes[lane] += lanes[lane + half];
  }
  return lanes[0];
}

// The same sums for some rows of value(row, k), each bit for bit as by sum_of. Each step is done for all rows before the
// next: the processor works on several of them at a time, where those of one row wait for each other.
constexpr int64_t kRowsAtOnce = 16;

template <class Value>
inline void sums_of_rows(int64_t rows, int64_t width, const Value& value, float* sums) {
  constexpr int64_t kLanes = 16;
  float lanes[kRowsAtOnce][kLanes];
  for (int64_t row = 0; row < rows; ++row) {
    float own[kLanes] = {};
    int64_t i = 0;
    for (; i + kLanes <= width; i += kLanes) {
      for (int64_t lane = 0; lane < kLanes; ++lane) own[lane] += value(row, i + lane);
    }
    for (int64_t lane = 0; i + lane < width; ++lane) own[lane] += value(row, i + lane);
    for (int64_t lane = 0; lane < kLanes; ++lane) lanes[row][lane] = own[lane];
  }
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t lane = 0; lane < 8; ++lane) lanes[row][lane] += lanes[row][lane + 8];
  }
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t lane = 0; lane < 4; ++lane) lanes[row][lane] += lanes[row][lane + 4];
  }
  for (int64_t row = 0; row < rows; ++row) {
    sums[row] = (lanes[row][0] + lanes[row][2]) + (lanes[row][1] + lanes[row][3]);
  }
}
