// LayerNorm's moments.
#pragma once

#include <cmath>
#include <cstdint>

struct Moments {
    float mean, factor;  // factor: 1 / deviation
};

static inline Moments moments(const float* x, int64_t width) {
    constexpr float EPSILON = 1e-5f;  // torch's default
    float total = 0, squares = 0;
#pragma omp simd reduction(+ : total)
    for (int64_t i = 0; i < width; ++i) total += x[i];
    const float mean = total / width;
#pragma omp simd reduction(+ : squares)
    for (int64_t i = 0; i < width; ++i) squares += (x[i] - mean) * (x[i] - mean);
    return {mean, 1 / std::sqrt(squares / width + EPSILON)};
}
