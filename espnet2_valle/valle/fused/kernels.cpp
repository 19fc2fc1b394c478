// What surrounds the matrix products of a training step on a CPU, each in one pass over memory.
//
// Torch draws a dropout's random numbers one by one, takes a pass for each of its operations, and turns matrices round
// on one thread. `kernels.py` describes the functions to Python; numbers are float32, or bfloat16 as uint16. Loops are
// written so that compilers make vectors of them.

#include <algorithm>
#include <cstdint>
#include <cstring>

namespace {

constexpr int64_t PART = 4096;  // numbers that a thread takes at a time

inline float bits_to_float(uint32_t bits) {
    float value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
}

inline uint32_t float_to_bits(float value) {
    uint32_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    return bits;
}

inline float widen(float x) { return x; }
inline float widen(uint16_t x) { return bits_to_float(uint32_t(x) << 16); }

template <typename To>
inline To narrow(float x);
template <>
inline float narrow<float>(float x) {
    return x;
}
template <>
inline uint16_t narrow<uint16_t>(float x) {  // to the nearest, ties to even; there are no NaNs to keep apart
    const uint32_t bits = float_to_bits(x);
    return uint16_t((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

// Random bits of a place: a hash of 32 bits with little bias ("lowbias32" of C. Wellons' hash prospector).
inline uint32_t random_bits(uint32_t place, uint32_t seed) {
    uint32_t h = place * 0x9e3779b9u + seed;
    h = (h ^ (h >> 16)) * 0x7feb352du;
    h = (h ^ (h >> 15)) * 0x846ca68bu;
    return h ^ (h >> 16);
}

// out = base + (kept ? x scale : 0), without base if it is null.
template <typename In, typename Out>
void drop(const In* x, const float* base, Out* out, int64_t count, uint32_t seed, uint32_t least, float scale) {
#pragma omp parallel for schedule(static)
    for (int64_t start = 0; start < count; start += PART) {
        const int64_t end = std::min(count, start + PART);
        if (base) {
#pragma omp simd
            for (int64_t i = start; i < end; ++i)
                out[i] = narrow<Out>(base[i] + (random_bits(uint32_t(i), seed) >= least ? widen(x[i]) * scale : 0.0f));
        } else {
#pragma omp simd
            for (int64_t i = start; i < end; ++i)
                out[i] = narrow<Out>(random_bits(uint32_t(i), seed) >= least ? widen(x[i]) * scale : 0.0f);
        }
    }
}

template <typename T>
void drop_rectified(const T* x, T* out, int64_t count, uint32_t seed, uint32_t least, float scale) {
#pragma omp parallel for schedule(static)
    for (int64_t start = 0; start < count; start += PART) {
        const int64_t end = std::min(count, start + PART);
#pragma omp simd
        for (int64_t i = start; i < end; ++i) {
            const float value = std::max(widen(x[i]), 0.0f) * scale;
            out[i] = narrow<T>(random_bits(uint32_t(i), seed) >= least ? value : 0.0f);
        }
    }
}

// Where something came through `drop_rectified`, its gradient does.
template <typename T>
void drop_rectified_back(const T* gradient, const T* out, T* to, int64_t count, float scale) {
#pragma omp parallel for schedule(static)
    for (int64_t start = 0; start < count; start += PART) {
        const int64_t end = std::min(count, start + PART);
#pragma omp simd
        for (int64_t i = start; i < end; ++i)
            to[i] = narrow<T>(widen(out[i]) > 0.0f ? widen(gradient[i]) * scale : 0.0f);
    }
}

}  // namespace

extern "C" {

#define KINDS(In, Out, name)                                                                                        \
    void drop_##name(const In* x, const float* base, Out* out, int64_t count, uint32_t seed, uint32_t least,        \
                     float scale) {                                                                                 \
        drop(x, base, out, count, seed, least, scale);                                                              \
    }
KINDS(float, float, float32_float32)
KINDS(float, uint16_t, float32_bfloat16)
KINDS(uint16_t, float, bfloat16_float32)
KINDS(uint16_t, uint16_t, bfloat16_bfloat16)

#define KIND(T, name)                                                                                               \
    void drop_rectified_##name(const T* x, T* out, int64_t count, uint32_t seed, uint32_t least, float scale) {     \
        drop_rectified(x, out, count, seed, least, scale);                                                          \
    }                                                                                                               \
    void drop_rectified_back_##name(const T* gradient, const T* out, T* to, int64_t count, float scale) {           \
        drop_rectified_back(gradient, out, to, count, scale);                                                       \
    }
KIND(float, float32)
KIND(uint16_t, bfloat16)

// (rows, columns) -> (columns, rows), tile by tile: a tile stays in the nearest cache.
void transpose_bfloat16(const uint16_t* from, uint16_t* to, int64_t rows, int64_t columns) {
    constexpr int64_t TILE = 64;
#pragma omp parallel for schedule(static) collapse(2)
    for (int64_t left = 0; left < columns; left += TILE)
        for (int64_t top = 0; top < rows; top += TILE) {
            uint16_t tile[TILE][TILE];
            const int64_t height = std::min(TILE, rows - top), width = std::min(TILE, columns - left);
            for (int64_t r = 0; r < height; ++r)
                for (int64_t c = 0; c < width; ++c) tile[c][r] = from[(top + r) * columns + left + c];
            for (int64_t c = 0; c < width; ++c) std::copy_n(tile[c], height, to + (left + c) * rows + top);
        }
}
}
