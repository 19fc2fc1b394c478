// Attention of one query over a cache, and the cache's entries: float32, bfloat16, or int8 with a float32 scale behind.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

#include "kernel.h"
#include "vectors.h"

// A head's positions are read in so many parts side by side, which memory answers sooner than one after the other,
constexpr int PARTS = 4;
constexpr int64_t AHEAD = 2048, LINE = 64;  // and so many bytes ahead; bytes of each read

template <typename E>
constexpr int64_t entry_size(int64_t head_dim) {
    return sizeof(E) == 1 ? head_dim + (int64_t)sizeof(float) : head_dim;
}

template <typename E>
inline float entry_scale(const E* entry, int64_t head_dim) {
    float scale = 1;
    if constexpr (sizeof(E) == 1) std::memcpy(&scale, entry + head_dim, sizeof scale);
    return scale;
}

static inline void write_entry(const float* x, float* entry, int64_t head_dim) {
    std::memcpy(entry, x, head_dim * sizeof *x);
}

static inline void write_entry(const float* x, uint16_t* entry, int64_t head_dim) {
    for (int64_t i = 0; i < head_dim; ++i) entry[i] = to_bfloat16(x[i]);
}

static inline void write_entry(const float* x, int8_t* entry, int64_t head_dim) {
    float largest = 1e-30f;
    for (int64_t i = 0; i < head_dim; ++i) largest = std::fmax(largest, std::fabs(x[i]));
    const float scale = largest / 127;
    for (int64_t i = 0; i < head_dim; ++i) entry[i] = (int8_t)std::nearbyint(x[i] / scale);
    std::memcpy(entry + head_dim, &scale, sizeof scale);
}

// e^x for x <= 0, to a few units in the last place: 2^n times a polynomial between -ln(2)/2 and ln(2)/2.
static inline float exponential(float x) {
    constexpr float LOWEST = -87, LOG2_E = 1.44269504f, LN2_HIGH = 0.693359375f, LN2_LOW = -2.12194440e-4f;
    x = x < LOWEST ? LOWEST : x;
    const int32_t n = (int32_t)(x * LOG2_E - 0.5f);  // cut towards zero, hence the nearest
    const float f = x - n * LN2_HIGH - n * LN2_LOW;
    const float power =
        1 + f * (1 + f * (1 / 2.f + f * (1 / 6.f + f * (1 / 24.f + f * (1 / 120.f + f * (1 / 720.f))))));
    const uint32_t bits = (uint32_t)(n + 127) << 23;
    float scale;
    std::memcpy(&scale, &bits, sizeof scale);
    return power * scale;
}

// scores (seen) become e^(score - largest); returns their sum.
static inline float exponentials(float* scores, int64_t seen) {
    float largest = scores[0], total = 0;
#pragma omp simd reduction(max : largest)
    for (int64_t t = 0; t < seen; ++t) largest = scores[t] > largest ? scores[t] : largest;
#pragma omp simd reduction(+ : total)
    for (int64_t t = 0; t < seen; ++t) {
        scores[t] = exponential(scores[t] - largest);
        total += scores[t];
    }
    return total;
}

// scores[t] = <query, key t> / sqrt(head_dim)
template <typename E>
void compare(const float* query, const E* keys, int64_t head_dim, int64_t seen, float* scores) {
    const int64_t stride = entry_size<E>(head_dim), part = seen / PARTS;
    thread_local std::vector<typename Kernel<E>::Input> prepared;
    prepared.resize(head_dim);
    const float scale = Kernel<E>::prepare(query, prepared.data(), head_dim) / std::sqrt((float)head_dim);
    const auto some = [&](auto& sums, int64_t first) {
        constexpr int COUNT = sizeof(sums) / sizeof(float);
        tile<E, COUNT, 1, 1>(keys + first * stride, part * stride, prepared.data(), head_dim, AHEAD / sizeof(E), sums);
        for (int nth = 0; nth < COUNT; ++nth) {
            const int64_t t = first + nth * part;
            scores[t] = sums[nth][0] * scale * entry_scale(keys + t * stride, head_dim);
        }
    };
    float of_each[PARTS][1], one[1][1];
    for (int64_t t = 0; t < part; ++t) some(of_each, t);
    for (int64_t t = PARTS * part; t < seen; ++t) some(one, t);
}

// out[i] = sum over t of weights[t] values[t][first + i], for VECS vectors of channels.
template <int VECS, typename E>
inline void mix(const float* weights, const E* values, int64_t head_dim, int64_t first, int64_t seen, float* out) {
    const int64_t stride = entry_size<E>(head_dim), bytes = stride * sizeof(E), part = seen / PARTS;
    Vec total[PARTS][VECS] = {};  // so that none waits for the former
    const auto add = [&](int64_t t, Vec(&sums)[VECS]) {
        const E* entry = values + t * stride;
        for (int64_t at = 0; at < bytes; at += LINE) _mm_prefetch((const char*)entry + AHEAD + at, _MM_HINT_T0);
        const Vec weight = spread(weights[t] * entry_scale(entry, head_dim));
        for (int v = 0; v < VECS; ++v) sums[v] += weight * load(entry + first + v * LANES);
    };
    for (int64_t t = 0; t < part; ++t)
        for (int nth = 0; nth < PARTS; ++nth) add(nth * part + t, total[nth]);
    for (int64_t t = PARTS * part; t < seen; ++t) add(t, total[0]);
    for (int v = 0; v < VECS; ++v) {
        for (int nth = 1; nth < PARTS; ++nth) total[0][v] += total[nth][v];
        store(out + v * LANES, total[0][v]);
    }
}

// query (head_dim), keys and values (seen, entry) -> out (head_dim)
template <typename E>
void attend(const float* query, const E* keys, const E* values, int64_t head_dim, int64_t seen, float* out) {
    constexpr int VECS = 4;
    const int64_t stride = entry_size<E>(head_dim);
    thread_local std::vector<float> weights;
    weights.resize(seen);
    compare(query, keys, head_dim, seen, weights.data());
    const float total = exponentials(weights.data(), seen);
    int64_t i = 0;
    for (; i + VECS * LANES <= head_dim; i += VECS * LANES)
        mix<VECS>(weights.data(), values, head_dim, i, seen, out + i);
    for (; i + LANES <= head_dim; i += LANES) mix<1>(weights.data(), values, head_dim, i, seen, out + i);
    for (; i < head_dim; ++i) {
        out[i] = 0;
        for (int64_t t = 0; t < seen; ++t) {
            const E* entry = values + t * stride;
            out[i] += weights[t] * entry_scale(entry, head_dim) * value(entry[i]);
        }
    }
    for (i = 0; i < head_dim; ++i) out[i] /= total;
}
