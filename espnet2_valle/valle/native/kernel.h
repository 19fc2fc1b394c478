// Sums of products with a row of weights (or of the cache), one kind for each type of theirs.
//
// A kind says as what the other factor is prepared (Input), how many columns are taken at once, and how they are added.
//   float32   with float32
//   bfloat16  with bfloat16 where the processor multiplies it, else with float32
//   int8      with 16-bit integers and one scale for each row, which keeps more digits than bfloat16 does
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "vectors.h"

template <typename W>
struct Kernel {  // float32, and bfloat16 by way of float32
    using Input = float;
    using Sum = Vec;
    static constexpr int COLUMNS = LANES;
    static Vec weights(const W* p) { return load(p); }
    static Vec inputs(const float* p) { return load(p); }
    static Vec add(Vec sum, Vec w, Vec x) { return sum + w * x; }
    static Vec total(Vec sum) { return sum; }
    static float prepare(const float* x, float* y, int64_t in) {
        std::memcpy(y, x, in * sizeof *x);
        return 1;
    }
};

#ifdef __AVX512BF16__
template <>
struct Kernel<uint16_t> {
    using Input = uint16_t;
    using Sum = Vec;
    static constexpr int COLUMNS = 2 * LANES;
    static __m512bh weights(const uint16_t* p) { return (__m512bh)_mm512_loadu_si512(p); }
    static __m512bh inputs(const uint16_t* p) { return weights(p); }
    static Vec add(Vec sum, __m512bh w, __m512bh x) { return _mm512_dpbf16_ps(sum, w, x); }
    static Vec total(Vec sum) { return sum; }
    static float prepare(const float* x, uint16_t* y, int64_t in) {
#pragma omp simd
        for (int64_t i = 0; i < in; ++i) y[i] = to_bfloat16(x[i]);
        return 1;
    }
};
#endif

template <>
struct Kernel<int8_t> {
    using Input = int16_t;
    using Sum = Ints;
    static constexpr int COLUMNS = 2 * LANES;
    static Ints weights(const int8_t* p) { return load_shorts(p); }
    static Ints inputs(const int16_t* p) { return load_shorts(p); }
    static Ints add(Ints sum, Ints w, Ints x) { return add_pairs(sum, w, x); }
    static Vec total(Ints sum) { return to_float(sum); }
    static float prepare(const float* x, int16_t* y, int64_t in) {
        const int64_t terms = 2 * ((in + COLUMNS - 1) / COLUMNS);  // of each 32-bit sum: none may run over
        constexpr int64_t TWO_DIGITS = 127 * 256 + 127;  // see matrix_unit.h
        const float levels = (float)std::min<int64_t>(TWO_DIGITS, INT32_MAX / (INT8_MAX * terms));
        float largest = 1e-30f;
#pragma omp simd reduction(max : largest)
        for (int64_t i = 0; i < in; ++i) largest = std::fabs(x[i]) > largest ? std::fabs(x[i]) : largest;
        const float factor = levels / largest;
#pragma omp simd
        for (int64_t i = 0; i < in; ++i) {
            const float scaled = x[i] * factor;
            y[i] = (int16_t)(int32_t)(scaled + (scaled < 0 ? -0.5f : 0.5f));
        }
        return largest / levels;
    }
};

// sums[o][r] = <row o of the matrix, row r of x>. SPLIT sums run side by side where OUT and ROWS make too few. What
// lies `ahead` elements further on is wanted next.
template <typename W, int OUT, int ROWS, int SPLIT>
inline void tile(const W* matrix, int64_t stride, const typename Kernel<W>::Input* x, int64_t in, int64_t ahead,
                 float (&sums)[OUT][ROWS]) {
    using K = Kernel<W>;
    typename K::Sum partial[OUT][ROWS][SPLIT] = {};
    const auto add = [&](int64_t column, int s) {
        decltype(K::weights(matrix)) w[OUT];
        for (int o = 0; o < OUT; ++o) {
            const W* from = matrix + o * stride + column;
            _mm_prefetch((const char*)(from + ahead), _MM_HINT_T0);
            w[o] = K::weights(from);
        }
        for (int r = 0; r < ROWS; ++r) {
            auto input = K::inputs(x + r * in + column);
            asm("" : "+v"(input));  // gcc would load it anew for each o, which costs a third more time
            for (int o = 0; o < OUT; ++o) partial[o][r][s] = K::add(partial[o][r][s], w[o], input);
        }
    };
    int64_t i = 0;
    for (; i + SPLIT * K::COLUMNS <= in; i += SPLIT * K::COLUMNS)
        for (int s = 0; s < SPLIT; ++s) add(i + s * K::COLUMNS, s);
    for (; i + K::COLUMNS <= in; i += K::COLUMNS) add(i, 0);
    for (int o = 0; o < OUT; ++o)
        for (int r = 0; r < ROWS; ++r) {
            Vec total = K::total(partial[o][r][0]);
            for (int s = 1; s < SPLIT; ++s) total += K::total(partial[o][r][s]);
            sums[o][r] = sum(total);
            for (int64_t j = i; j < in; ++j) sums[o][r] += value(matrix[o * stride + j]) * value(x[r * in + j]);
        }
}
