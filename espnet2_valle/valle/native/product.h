// x W^T + b for a few rows of x: each weight is read from memory once, whatever their number.
#pragma once

#include <cstdint>

#include "vectors.h"

struct Linear {
    const void* weight;  // (out, in), row-major, of the model's type
    const float* scale;  // (out) for int8, else null
    const float* bias;   // (out), or null
};

constexpr int TILE_OUT = 4;                     // rows of the matrix that are read side by side,
constexpr int TILE_ROWS = LANES == 16 ? 4 : 2;  // and rows of x against them: as many sums as registers hold

// sums[o][r] = <matrix row o, x row r>
template <typename W, int OUT, int ROWS>
inline void tile(const W* matrix, int64_t stride, const float* x, int64_t in, float (&sums)[OUT][ROWS]) {
    Vec partial[OUT][ROWS] = {};
    int64_t i = 0;
    for (; i + LANES <= in; i += LANES) {
        Vec w[OUT];
        for (int o = 0; o < OUT; ++o) w[o] = load(matrix + o * stride + i);
        for (int r = 0; r < ROWS; ++r) {
            const Vec input = load(x + r * in + i);
            for (int o = 0; o < OUT; ++o) partial[o][r] += w[o] * input;
        }
    }
    for (int o = 0; o < OUT; ++o)
        for (int r = 0; r < ROWS; ++r) {
            sums[o][r] = sum(partial[o][r]);
            for (int64_t j = i; j < in; ++j) sums[o][r] += value(matrix[o * stride + j]) * x[r * in + j];
        }
}

// Calls put(row, o, <matrix row o, x row>) for OUT rows of the matrix and the rows of x from `first` on.
template <typename W, int OUT, int ROWS, typename Put>
inline void tiles(const W* matrix, const float* x, int first, int rows, int64_t in, Put put) {
    for (; first + ROWS <= rows; first += ROWS) {
        float sums[OUT][ROWS];
        tile(matrix, in, x + first * in, in, sums);
        for (int o = 0; o < OUT; ++o)
            for (int r = 0; r < ROWS; ++r) put(first + r, o, sums[o][r]);
    }
    if constexpr (ROWS > 1) tiles<W, OUT, ROWS / 2>(matrix, x, first, rows, in, put);
}

// Calls put(row, o, y[row][o]) for y = x W^T + b, x (rows, in). To be called by all threads of a team: they share
// the outputs and wait for one another at the end.
template <typename W, typename Put>
void product(const Linear& linear, const float* x, int rows, int64_t in, int64_t out, Put put) {
    const W* weight = (const W*)linear.weight;
    const auto finish = [&](int row, int64_t o, float y) {
        if (linear.scale) y *= linear.scale[o];
        put(row, o, linear.bias ? y + linear.bias[o] : y);
    };
    const int64_t whole = out / TILE_OUT * TILE_OUT;
#pragma omp for schedule(static) nowait
    for (int64_t o = 0; o < whole; o += TILE_OUT)
        tiles<W, TILE_OUT, TILE_ROWS>(weight + o * in, x, 0, rows, in,
                                      [&](int row, int nth, float y) { finish(row, o + nth, y); });
#pragma omp for schedule(static)
    for (int64_t o = whole; o < out; ++o)
        tiles<W, 1, TILE_ROWS>(weight + o * in, x, 0, rows, in, [&](int row, int, float y) { finish(row, o, y); });
}
