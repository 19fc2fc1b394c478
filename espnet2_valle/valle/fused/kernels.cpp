// What surrounds the matrix products of a training step on a CPU, each in one pass over memory.
//
// Torch draws a dropout's random numbers one by one, takes a pass for each of its operations, turns matrices round on
// one thread, and computes the softmax of attention beyond what a position may see. `kernels.py` describes the functions
// to Python; numbers are float32, or bfloat16 as uint16. Loops are written so that compilers make vectors of them.

#include <vector>

#include "../moments.h"
#include "numbers.h"

namespace {

constexpr int64_t PART = 4096;  // numbers that a thread takes at a time

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

// Scores of a row (time, time) to weights, in place: query t sees keys before `length`, and up to t if causal.
template <typename T>
void weigh(T* scores, const int64_t* lengths, int64_t rows, int64_t time, bool causal) {
#pragma omp parallel
    {
        std::vector<float> line(time);
        float* powers = line.data();
#pragma omp for schedule(static) collapse(2)
        for (int64_t row = 0; row < rows; ++row)
            for (int64_t query = 0; query < time; ++query) {
                T* score = scores + (row * time + query) * time;
                const int64_t seen = causal ? std::min(lengths[row], query + 1) : lengths[row];
                float most = -INFINITY, total = 0;
#pragma omp simd reduction(max : most)
                for (int64_t i = 0; i < seen; ++i) most = std::max(most, widen(score[i]));
#pragma omp simd reduction(+ : total)
                for (int64_t i = 0; i < seen; ++i) total += powers[i] = exponential(widen(score[i]) - most);
                const float share = 1 / total;
#pragma omp simd
                for (int64_t i = 0; i < seen; ++i) score[i] = narrow<T>(powers[i] * share);
                std::fill(score + seen, score + time, T(0));
            }
    }
}

// Gradients of weights to those of scores, in place.
template <typename T>
void weigh_back(T* gradients, const T* weights, const int64_t* lengths, int64_t rows, int64_t time, bool causal) {
#pragma omp parallel for schedule(static) collapse(2)
    for (int64_t row = 0; row < rows; ++row)
        for (int64_t query = 0; query < time; ++query) {
            T* gradient = gradients + (row * time + query) * time;
            const T* weight = weights + (row * time + query) * time;
            const int64_t seen = causal ? std::min(lengths[row], query + 1) : lengths[row];
            float total = 0;
#pragma omp simd reduction(+ : total)
            for (int64_t i = 0; i < seen; ++i) total += widen(gradient[i]) * widen(weight[i]);
#pragma omp simd
            for (int64_t i = 0; i < seen; ++i) gradient[i] = narrow<T>(widen(weight[i]) * (widen(gradient[i]) - total));
            std::fill(gradient + seen, gradient + time, T(0));
        }
}

// LayerNorm of (rows, time, width), each row with a scale and a shift of its own, or all with the first. `stats` gets the
// mean and the inverse deviation of each position.
template <typename Out>
void normalise(const float* x, const float* scale, const float* shift, Out* out, float* stats, int64_t rows, int64_t time,
               int64_t width, bool shared) {
#pragma omp parallel for schedule(static)
    for (int64_t place = 0; place < rows * time; ++place) {
        const float* from = x + place * width;
        const float *times = scale + (shared ? 0 : place / time * width), *plus = shift + (times - scale);
        Out* to = out + place * width;
        const Moments of_row = moments(from, width);
        const float mean = of_row.mean, factor = of_row.factor;
        stats[2 * place] = mean;
        stats[2 * place + 1] = factor;
#pragma omp simd
        for (int64_t i = 0; i < width; ++i) to[i] = narrow<Out>((from[i] - mean) * factor * times[i] + plus[i]);
    }
}

// Gradients of x, and of scale and shift (rows, parts, width) by parts of `part` positions.
template <typename In>
void normalise_back(const In* gradient, const float* x, const float* scale, const float* stats, float* to, float* for_scale,
                    float* for_shift, int64_t rows, int64_t time, int64_t width, bool shared, int64_t part) {
    const int64_t parts = (time + part - 1) / part;
#pragma omp parallel for schedule(static) collapse(2)
    for (int64_t row = 0; row < rows; ++row)
        for (int64_t nth = 0; nth < parts; ++nth) {
            const float* times = scale + (shared ? 0 : row * width);
            float *scales = for_scale + (row * parts + nth) * width, *shifts = for_shift + (scales - for_scale);
            std::fill_n(scales, width, 0.0f);
            std::fill_n(shifts, width, 0.0f);
            for (int64_t t = nth * part; t < std::min(time, (nth + 1) * part); ++t) {
                const int64_t place = row * time + t;
                const float *from = x + place * width, mean = stats[2 * place], factor = stats[2 * place + 1];
                const In* of = gradient + place * width;
                float* out = to + place * width;
                float total = 0, along = 0;
#pragma omp simd reduction(+ : total, along)
                for (int64_t i = 0; i < width; ++i) {
                    const float upper = widen(of[i]), normal = (from[i] - mean) * factor;
                    scales[i] += upper * normal;
                    shifts[i] += upper;
                    total += upper * times[i];
                    along += upper * times[i] * normal;
                }
                total /= width;
                along /= width;
#pragma omp simd
                for (int64_t i = 0; i < width; ++i)
                    out[i] = factor * (widen(of[i]) * times[i] - total - (from[i] - mean) * factor * along);
            }
        }
}

}  // namespace

extern "C" {

#define NORMS(T, name)                                                                                              \
    void normalise_##name(const float* x, const float* scale, const float* shift, T* out, float* stats,             \
                          int64_t rows, int64_t time, int64_t width, bool shared) {                                 \
        normalise(x, scale, shift, out, stats, rows, time, width, shared);                                          \
    }                                                                                                               \
    void normalise_back_##name(const T* gradient, const float* x, const float* scale, const float* stats, float* to,\
                               float* for_scale, float* for_shift, int64_t rows, int64_t time, int64_t width,       \
                               bool shared, int64_t part) {                                                         \
        normalise_back(gradient, x, scale, stats, to, for_scale, for_shift, rows, time, width, shared, part);       \
    }
NORMS(float, float32)
NORMS(uint16_t, bfloat16)

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
    }                                                                                                               \
    void weigh_##name(T* scores, const int64_t* lengths, int64_t rows, int64_t time, bool causal) {                 \
        weigh(scores, lengths, rows, time, causal);                                                                 \
    }                                                                                                               \
    void weigh_back_##name(T* gradients, const T* weights, const int64_t* lengths, int64_t rows, int64_t time,      \
                           bool causal) {                                                                           \
        weigh_back(gradients, weights, lengths, rows, time, causal);                                                \
    }
KIND(float, float32)
KIND(uint16_t, bfloat16)

// (rows, columns) -> (columns, rows), and the sum of each column; tile by tile: a tile stays in the nearest cache.
void transpose_bfloat16(const uint16_t* from, uint16_t* to, float* sums, int64_t rows, int64_t columns) {
    constexpr int64_t TILE = 64, FOUR = 4;
#pragma omp parallel for schedule(static)
    for (int64_t left = 0; left < columns; left += TILE) {
        const int64_t width = std::min(TILE, columns - left);
        float total[TILE] = {};
        uint64_t tile[TILE][TILE / FOUR];  // four numbers of a column in each, in the order that memory has on x86 and ARM
        for (int64_t top = 0; top < rows; top += TILE) {
            const int64_t height = std::min(TILE, rows - top);
            for (int64_t r = 0; r < height; r += FOUR) {
                const uint16_t* line[FOUR];
                for (int64_t i = 0; i < FOUR; ++i) line[i] = from + std::min(top + r + i, rows - 1) * columns + left;
                for (int64_t c = 0; c < width; ++c)
                    tile[c][r / FOUR] = uint64_t(line[0][c]) | uint64_t(line[1][c]) << 16 |
                                        uint64_t(line[2][c]) << 32 | uint64_t(line[3][c]) << 48;
                for (int64_t i = 0; i < std::min(FOUR, height - r); ++i)
                    for (int64_t c = 0; c < width; ++c) total[c] += widen(line[i][c]);
            }
            for (int64_t c = 0; c < width; ++c)
                std::memcpy(to + (left + c) * rows + top, tile[c], height * sizeof *to);
        }
        std::copy_n(total, width, sums + left);
    }
}
}
